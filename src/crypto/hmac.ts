/**
 * HMAC-SHA256 as the obfs transports use it: over parts, whole or cut to 16 bytes, and as HKDF's expansion (RFC 5869,
 * section 2.3) without the extraction.
 *
 *     T(1) = HMAC(prk, info | 01)   T(n) = HMAC(prk, T(n-1) | info | n)   okm = T(1) | T(2) | …
 */
import type { KeyObject } from 'node:crypto'
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto'

/** The bytes of a mark or a MAC on the wire: HMAC-SHA256 cut to its first half. */
export const macLength = 16

/** A key: its bytes, or what hmacKey() makes of them. */
export type HmacKey = Uint8Array | KeyObject

/** For a key that is used more than once: Node 24 takes five times as long with its bytes, which it makes a key of each time. */
export function hmacKey(bytes: Uint8Array): KeyObject {
  return createSecretKey(bytes)
}

/** HMAC-SHA256 of the parts put together: 32 bytes. Short parts had better be put together before: each costs 1 µs. */
export function hmac(key: HmacKey, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** The first 16 bytes of it. */
export function hmac16(key: HmacKey, ...parts: readonly (Uint8Array | string)[]): Buffer {
  return hmac(key, ...parts).subarray(0, macLength)
}

/** HKDF-SHA256's expansion alone, for a `prk` that is a key already: `length` bytes, at most 8160. */
export function hkdfExpand(prk: Uint8Array, length: number, info: Uint8Array = new Uint8Array()): Buffer {
  const key = hmacKey(prk)
  const blocks: Buffer[] = []
  for (let have = 0; have < length; have += 32) {
    const previous = blocks.at(-1) ?? new Uint8Array()
    blocks.push(hmac(key, previous, info, Uint8Array.of(blocks.length + 1)))
  }
  return Buffer.concat(blocks, length)
}

/** Equality in constant time; a difference in length is no secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
