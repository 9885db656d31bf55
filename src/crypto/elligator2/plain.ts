/**
 * Elligator 2 in BigInt arithmetic, for a Node without WebAssembly.
 */
import { multiplyBase } from './edwards.ts'
import type { Elligator2, ElligatorKey } from './implementation.ts'
import { elligatorSeedLength } from './implementation.ts'
import { fromBytes, inverse, mod, p, rootOfRatio, toBytes } from './field.ts'

/** The A of v² = u³ + A u² + u. */
const A = 486662n

export const plainElligator2: Elligator2 = { key, decode }

function key(seed: Uint8Array): ElligatorKey | undefined {
  const [first = 0, tweak = 0] = [seed[0], seed[elligatorSeedLength - 1]]
  const scalar = fromBytes(clamped(seed.subarray(0, elligatorSeedLength - 1)))
  const { y, z } = multiplyBase(scalar, first & 7)
  // u = (1 + y) / (1 - y) = n / d, kept as a ratio: half of the attempts never need the division.
  const [n, d] = [mod(z + y), mod(z - y)]
  const uPlusA = mod(n + A * d)
  if (n === 0n || d === 0n || uPlusA === 0n) return undefined
  // r² = -u / 2(u+A), or with the other choice of tweak -(u+A) / 2u: either is a square exactly if -2u(u+A) is one.
  const root = (tweak & 1) === 0 ? rootOfRatio(p - n, mod(2n * uPlusA)) : rootOfRatio(p - uPlusA, mod(2n * n))
  if (root === undefined) return undefined
  const representative = toBytes(nonNegative(root))
  representative[31]! |= tweak & 0xc0
  return { publicKey: toBytes((n * inverse(d)) % p), representative }
}

function decode(representative: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(representative)
  bytes[31]! &= 0x3f
  const r = fromBytes(bytes)
  // w = -A / (1 + 2r²); the divisor is never 0, as -1/2 is no square.
  const [n, d] = [p - A, mod(1n + 2n * r * r)]
  // e = w³ + A w² + w, times d⁴, which changes nothing about being a square.
  const e = mod(((n * (n * n + A * n * d + d * d)) % p) * d)
  const w = (n * inverse(d)) % p
  return toBytes(rootOfRatio(e, 1n) === undefined ? mod(-w - A) : w)
}

/** Of a root and its negative, this gives the one that is at most (p-1)/2. */
function nonNegative(root: bigint): bigint {
  return root <= (p - 1n) / 2n ? root : p - root
}

function clamped(sk: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(sk)
  bytes[0]! &= 0xf8
  bytes[31] = (bytes[31]! & 0x7f) | 0x40
  return bytes
}
