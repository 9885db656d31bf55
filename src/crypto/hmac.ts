/**
 * HMAC-SHA256 as the obfs transports use it: over parts, whole or cut to 16 bytes, and as HKDF's expansion (RFC 5869,
 * section 2.3) without the extraction.
 *
 *     T(1) = HMAC(prk, info | 01)   T(n) = HMAC(prk, T(n-1) | info | n)   okm = T(1) | T(2) | …
 *
 * Short messages, and long ones that begin alike, are hashed in WebAssembly: node:crypto is fast with thousands of bytes, and
 * slow to begin.
 */
import type { KeyObject } from 'node:crypto'
import { createHmac, createSecretKey } from 'node:crypto'
import { isPlain } from '../plain.ts'
import type { HmacKernel } from './hmac/wasm.ts'
import { hmacKernel, maxKey } from './hmac/wasm.ts'

/** The bytes of a mark or a MAC on the wire: HMAC-SHA256 cut to its first half. */
export const macLength = 16

/** A key, as either way to compute has it: made when that is first taken. */
export class HmacKey {
  readonly #bytes: Uint8Array
  #states: Uint8Array | undefined
  #object: KeyObject | undefined

  /** `bytes` may not change as long as the key is used. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get length(): number {
    return this.#bytes.length
  }

  statesFor(kernel: HmacKernel): Uint8Array {
    return (this.#states ??= kernel.states(this.#bytes))
  }

  /** Node 24 takes five times as long with bytes, which it makes a key of each time. */
  get object(): KeyObject {
    return (this.#object ??= createSecretKey(this.#bytes))
  }
}

/** For a key that is used more than once, from its bytes at this moment. */
export function hmacKey(bytes: Uint8Array): HmacKey {
  return new HmacKey(Uint8Array.from(bytes))
}

/** From here on node:crypto is faster, in bytes. */
const long = 512

/** HMAC-SHA256 of the parts put together: 32 bytes. */
export function hmac(key: HmacKey | Uint8Array, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const held = key instanceof HmacKey ? key : new HmacKey(key)
  const kernel = lengthOf(parts) < long ? kernelFor(held) : undefined
  if (kernel !== undefined) return kernel.digest(held.statesFor(kernel), parts)
  const mac = createHmac('sha256', held.object)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** Computes the HMACs of several messages: `begin`, followed by each of `ends`. */
export function hmacs(key: HmacKey, begin: Uint8Array, ends: readonly string[]): Buffer[] {
  const kernel = kernelFor(key)
  let longest = 0
  for (const end of ends) longest = Math.max(longest, begin.length + Buffer.byteLength(end))
  if (kernel === undefined || longest > kernel.maxMessage) return ends.map((end) => hmac(key, begin, end))
  return kernel.digests(key.statesFor(kernel), begin, ends)
}

let chosen: { readonly kernel: HmacKernel | undefined } | undefined

/** The kernel is made when it is first wanted, as a start needs none. In plain mode there is none. */
function kernelFor(key: HmacKey): HmacKernel | undefined {
  chosen ??= { kernel: isPlain() ? undefined : hmacKernel() }
  return key.length <= maxKey ? chosen.kernel : undefined
}

function lengthOf(parts: readonly (Uint8Array | string)[]): number {
  let length = 0
  for (const part of parts) length += typeof part === 'string' ? Buffer.byteLength(part) : part.length
  return length
}

/** The first 16 bytes of it. */
export function hmac16(key: HmacKey | Uint8Array, ...parts: readonly (Uint8Array | string)[]): Buffer {
  return hmac(key, ...parts).subarray(0, macLength)
}

/** The last block is number 255. */
const maxExpansion = 255 * 32

/**
 * HKDF-SHA256's expansion alone, for a `prk` that is a key already: `length` bytes. RFC 5869 counts its blocks
 * in one byte, so that there are 8160 at most: throws RangeError beyond them.
 */
export function hkdfExpand(prk: Uint8Array, length: number, info: Uint8Array = new Uint8Array()): Buffer {
  if (length > maxExpansion) throw new RangeError(`HKDF-SHA256 expands to ${maxExpansion} bytes at most, not ${length}`)
  const key = hmacKey(prk)
  const blocks: Buffer[] = []
  for (let have = 0; have < length; have += 32) {
    const previous = blocks.at(-1) ?? new Uint8Array()
    blocks.push(hmac(key, previous, info, Uint8Array.of(blocks.length + 1)))
  }
  return Buffer.concat(blocks, length)
}
