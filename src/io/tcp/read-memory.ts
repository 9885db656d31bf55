/**
 * As much as Node reads at a time. Not more: a cipher's result is as long as the read, and malloc asks the system for each
 * piece of 128 KiB and more anew, whose pages then have to be mapped, which takes as long as all else.
 */
const READ_LENGTH = 65_536
/** WebAssembly counts memory in these. */
const PAGE = 65_536
let memory: Buffer | undefined

/** One place for the bytes of all reads, each for the length of one call. */
export function readMemory(): Buffer {
  return (memory ??= lend(fixedMemory()))
}

/**
 * Memory that cannot be taken away: codecs of others are given views of it. The buffer of a WebAssembly.Memory is the one kind
 * that neither structuredClone() nor postMessage() nor transfer() can detach.
 */
function fixedMemory(): Buffer {
  const pages = READ_LENGTH / PAGE
  try {
    return Buffer.from(new webAssembly!.Memory({ initial: pages, maximum: pages }).buffer)
  } catch {
    // A Node without WebAssembly (--jitless), or without the address space for it.
    return Buffer.allocUnsafeSlow(READ_LENGTH)
  }
}

interface WebAssemblyApi {
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => {
    readonly buffer: ArrayBuffer
  }
}

/** TypeScript has it among the browser's types only. */
const webAssembly = (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly

const lent = new WeakSet<ArrayBufferLike>()

/**
 * Says that the system may write into `memory` and any view of it, for as long as the process runs. libuv keeps a bare pointer: if
 * the memory were given away by structuredClone() or postMessage(), or moved by WebAssembly as it grows, the next read would
 * destroy what lies there by then. So this is for memory that only this package has.
 */
export function lend<Memory extends Uint8Array>(memory: Memory): Memory {
  lent.add(memory.buffer)
  return memory
}

export function isLent(memory: Uint8Array): boolean {
  return lent.has(memory.buffer)
}
