/**
 * The part of WebAssembly's interface that the kernels use. TypeScript has its types only among those of browsers.
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

/** Undefined if Node runs without it (`--jitless`). */
export const webAssembly: WebAssemblyApi | undefined = (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly
