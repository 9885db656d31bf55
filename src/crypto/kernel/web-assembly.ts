/**
 * As much of WebAssembly's interface as is used here: TypeScript has it among the browser's types only.
 */

export interface WasmGlobal {
  readonly value: number
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer
}

interface WebAssemblyApi {
  validate(bytes: Uint8Array): boolean
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: object }
}

/** Undefined in a Node that runs without it (`--jitless`). */
export const webAssembly: WebAssemblyApi | undefined = (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly
