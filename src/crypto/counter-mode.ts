/**
 * AES in counter mode as a stream of one direction: the same call encrypts and decrypts, and the keystream goes on from
 * call to call. One call per read, never per small chunk: each allocates its output.
 */
import { createCipheriv } from 'node:crypto'

/** The next bytes of the stream, encrypted or decrypted. */
export type CounterMode = (bytes: Uint8Array) => Buffer

/** A stream under `key` (16 bytes for AES-128, 32 for AES-256) whose first block is `counter` (16 bytes). */
export function counterMode(key: Uint8Array, counter: Uint8Array): CounterMode {
  const cipher = createCipheriv(key.length === 32 ? 'aes-256-ctr' : 'aes-128-ctr', key, counter)
  return (bytes) => cipher.update(bytes)
}
