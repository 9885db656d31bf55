/**
 * HMAC-SHA256 (RFC 2104). A key is what its two blocks come to: the states that H(K ^ ipad | …) and H(K ^ opad | …) go on from.
 *
 *     setKey ── begin ── end ── end …     messages that begin alike are hashed as far as they do, once
 */
import { BLOCK, compress, start, STATE_LENGTH, storeDigest } from './sha256'

/** A key of up to 64 bytes, with zeros behind it. */
export const KEY: usize = memory.data(64, 16)
/** The key's two states, as setKey() makes them or as they were kept. */
export const STATES: usize = memory.data(64, 16)
/** Up to MESSAGE_LENGTH bytes, and space for what SHA-256 puts behind them. */
export const MESSAGE: usize = memory.data(8_320, 16)
export const MESSAGE_LENGTH: usize = 8_192
export const DIGEST: usize = memory.data(32, 16)

/** Of the key and the blocks that begin() has hashed. */
const BEGUN: usize = memory.data(32, 16)
const STATE: usize = memory.data(32, 16)
const PADDED: usize = memory.data(64, 16)

let begun: usize = 0

/** STATES of KEY. */
export function setKey(): void {
  setState(STATES, 0x36363636_36363636)
  setState(STATES + STATE_LENGTH, 0x5c5c5c5c_5c5c5c5c)
}

function setState(state: usize, pad: u64): void {
  for (let i: usize = 0; i < BLOCK; i += 8) store<u64>(PADDED + i, load<u64>(KEY + i) ^ pad)
  start(state)
  compress(state, PADDED)
}

/** Hashes what is whole of the first `length` bytes of MESSAGE under STATES, for each end() that follows. */
export function begin(length: usize): void {
  begun = length & ~(BLOCK - 1)
  memory.copy(BEGUN, STATES, STATE_LENGTH)
  for (let at: usize = 0; at < begun; at += BLOCK) compress(BEGUN, MESSAGE + at)
}

/** DIGEST of the `length` bytes of MESSAGE, which are not fewer than those of begin(). */
export function end(length: usize): void {
  hash(BEGUN, MESSAGE, begun, length)
  storeDigest(PADDED, STATE)
  hash(STATES + STATE_LENGTH, PADDED, 0, STATE_LENGTH)
  storeDigest(DIGEST, STATE)
}

/**
 * STATE of the key's block and `message`, of which `from` has seen the key's block and `done` bytes. Behind the message there is
 * space to the end of a block, and for one block more.
 */
function hash(from: usize, message: usize, done: usize, length: usize): void {
  // A bit, zeros, and the length in bits in the last eight bytes of a block.
  const end = (length + 8 + BLOCK) & ~(BLOCK - 1)
  memory.fill(message + length, 0, end - length)
  store<u8>(message + length, 0x80)
  store<u64>(message + end - 8, bswap<u64>((<u64>(length + BLOCK)) << 3))
  memory.copy(STATE, from, STATE_LENGTH)
  for (let at = done; at < end; at += BLOCK) compress(STATE, message + at)
}
