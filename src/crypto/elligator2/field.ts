/**
 * The field of 2^255-19 as Elligator 2 needs it: square roots of ratios, and the 32 little-endian bytes of an element.
 *
 * BigInt arithmetic is not constant-time. It is used for ephemeral keys made ahead of their connection and for public
 * values; long-lived keys never come here.
 */

export const p: bigint = 2n ** 255n - 19n

/** 2^((p-1)/4), a root of -1. */
const rootOfMinusOne = 19681161376707505956807079304988542015446066515923890162744021073123829784752n

/** The canonical form, 0 to p-1. */
export function mod(a: bigint): bigint {
  const b = a % p
  return b < 0n ? b + p : b
}

/** `a` squared `times` times. */
function squared(a: bigint, times: number): bigint {
  let b = a
  for (let i = 0; i < times; i++) b = (b * b) % p
  return b
}

/** a^((p-5)/8) = a^(2^252-3); `oneBits` counts the one bits that the exponent has so far. */
function power2523(a: bigint): bigint {
  const join = (long: bigint, oneBits: number, short: bigint): bigint => (squared(long, oneBits) * short) % p
  const x2 = join(a, 1, a)
  const x4 = join(x2, 2, x2)
  const x5 = join(x4, 1, a)
  const x10 = join(x5, 5, x5)
  const x20 = join(x10, 10, x10)
  const x40 = join(x20, 20, x20)
  const x80 = join(x40, 40, x40)
  const x160 = join(x80, 80, x80)
  const x240 = join(x160, 80, x80)
  const x250 = join(x240, 10, x10)
  return join(x250, 2, a)
}

/** Returns a root of n/d for canonical n and d, d not 0; undefined if n/d is no square. RFC 8032, section 5.1.3. */
export function rootOfRatio(n: bigint, d: bigint): bigint | undefined {
  const d3 = (((d * d) % p) * d) % p
  const d7 = (((d3 * d3) % p) * d) % p
  const root = (((n * d3) % p) * power2523((n * d7) % p)) % p
  const check = (((root * root) % p) * d) % p
  if (check === n) return root
  if (check === mod(-n)) return (root * rootOfMinusOne) % p
  return undefined
}

/** a^(p-2): the inverse, and 0 for 0. */
export function inverse(a: bigint): bigint {
  // p-2 = 8 (2^252-3) + 3
  return (squared(power2523(a), 3) * ((((a * a) % p) * a) % p)) % p
}

export function toBytes(a: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(a.toString(16).padStart(64, '0'), 'hex').reverse())
}

export function fromBytes(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}
