/**
 * The memory that sockets are read into. All connections share one piece, each for the length of one call.
 */

/**
 * As much as Node reads at a time. It is not more, because a cipher's result is as long as the read: malloc asks the system for
 * each piece of 128 KiB and more separately, and to map the pages of such a piece takes as long as everything else.
 */
export const READ_LENGTH = 65_536
/** WebAssembly counts memory in pages of this length. */
const PAGE = 65_536
let memory: Buffer | undefined

/** The one place for the bytes of all reads. Its bytes are good until the call that was told of them returns. */
export function readMemory(): Buffer {
  return (memory ??= lend(fixedMemory()))
}

/**
 * Memory that cannot be taken away, as codecs of others are given views of it. The buffer of a WebAssembly.Memory is the one kind
 * that neither structuredClone() nor postMessage() nor transfer() can detach.
 */
function fixedMemory(): Buffer {
  const pages = READ_LENGTH / PAGE
  try {
    return Buffer.from(new webAssembly!.Memory({ initial: pages, maximum: pages }).buffer)
  } catch {
    // This Node has no WebAssembly (--jitless), or no address space for it.
    return Buffer.allocUnsafeSlow(READ_LENGTH)
  }
}

interface WebAssemblyApi {
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => {
    readonly buffer: ArrayBuffer
  }
}

/** TypeScript has its type only among those of browsers. */
const webAssembly = (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly

const lent = new WeakSet<ArrayBufferLike>()

/**
 * Says that the system may write into `memory`, and into any view of it, for as long as the process runs. libuv keeps a bare
 * pointer: if the memory were given away by structuredClone() or postMessage(), or moved by WebAssembly because it grows, the next
 * read would destroy whatever lies there by then. So only memory that this package alone holds is lent.
 */
export function lend<Memory extends Uint8Array>(memory: Memory): Memory {
  lent.add(memory.buffer)
  return memory
}

/** True if `memory` is a view of memory that was lent. */
export function isLent(memory: Uint8Array): boolean {
  return lent.has(memory.buffer)
}
