/**
 * As much as Node reads at a time. Not more: a cipher's result is as long as the read, and malloc asks the system for each
 * piece of 128 KiB and more anew, whose pages then have to be mapped, which takes as long as all else.
 */
const READ_LENGTH = 65_536
let memory: Buffer | undefined

/** One place for the bytes of all reads, each for the length of one call. */
export function readMemory(): Buffer {
  return (memory ??= Buffer.allocUnsafeSlow(READ_LENGTH))
}
