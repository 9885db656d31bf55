/**
 * AES in counter mode as a stream of one direction: the same call encrypts and decrypts, and the keystream goes on from
 * call to call. One call per read, never per small chunk: each allocates its output.
 */
import { createCipheriv } from 'node:crypto'

/** The next bytes of the stream, encrypted or decrypted. */
export type CounterMode = (bytes: Uint8Array) => Buffer

/** A stream under `key` (16 bytes for AES-128, 32 for AES-256) whose first block is `counter` (16 bytes). */
export function counterMode(key: Uint8Array, counter: Uint8Array): CounterMode {
  keepFreedMemory()
  const cipher = createCipheriv(key.length === 32 ? 'aes-256-ctr' : 'aes-128-ctr', key, counter)
  return (bytes) => cipher.update(bytes)
}

/** The largest that still counts: from 32 MiB on glibc maps each piece by itself. */
const LARGEST_PIECE = 31 * 2 ** 20
let isKept = false

/**
 * Some 40 MB of results lie between two collections of garbage. glibc hands what is freed at the end of its heap back to the system, whose
 * pages are then mapped again with every round, which can take four fifths of the CPU. It keeps twice the largest piece that was ever mapped by
 * itself and freed: so one is, untouched, which costs no memory.
 */
function keepFreedMemory(): void {
  if (isKept) return
  isKept = true
  Buffer.allocUnsafeSlow(LARGEST_PIECE)
}
