/**
 * Elligator 2 for Curve25519: public keys that look like 32 random bytes on the wire.
 *
 *     key pair        sk, 32 random bytes ── u, the public key ── representative r, 254 bits and 2 random ones
 *     representative  32 bytes, any ── u
 *
 * The map is map_to_curve_elligator2_curve25519 of RFC 9380 (section 6.7.1, Z = 2), x-coordinate only. Keys are made as
 * obfs4proxy 0.0.14 makes them: with a component of low order, without which an observer who decodes many
 * representatives would find all of them in the subgroup of prime order, where random bytes hardly ever land.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { fromBytes, inverse, mod, p, rootOfRatio, toBytes } from './field25519.ts'

/** A of v² = u³ + A u² + u. */
const A = 486662n

const Point = ed25519.Point
type Point = InstanceType<typeof Point>

/** Bytes of randomness that one attempt at a key pair takes: the private key, and the tweak. */
export const elligatorSeedLength = 33

export interface ElligatorKey {
  /** u, 32 bytes: what goes into transcripts. It is not the plain X25519 public key of the same private key. */
  readonly publicKey: Uint8Array
  /** 32 bytes for the wire, indistinguishable from random ones. */
  readonly representative: Uint8Array
}

/** The multiples 0 to 7 of a point of order 8. */
const lowOrderPoints: readonly Point[] = multiplesOf(
  Point.fromAffine({
    x: 0x1fd5b9a006394a28e933993238de4abb5c193c7013e5e238dea14646c545d14an,
    y: 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  }),
)

// A window of 5 bits: the table takes 5 ms on first use, where the library's own 8 bits stall the event loop for over 20.
const base = Point.fromAffine(Point.BASE.toAffine())
base.precompute(5)

/**
 * One attempt at a key pair from 33 random bytes; undefined for one half of them, as one half of all points have no
 * representative. All 256 bits of the private key count: those that X25519 ignores choose the low-order component.
 */
export function elligatorKey(seed: Uint8Array): ElligatorKey | undefined {
  const [first = 0, tweak = 0] = [seed[0], seed[elligatorSeedLength - 1]]
  const scalar = mod25519Order(fromBytes(clamped(seed.subarray(0, elligatorSeedLength - 1))))
  const { Y, Z } = base.multiply(scalar).add(lowOrderPoints[first & 7] ?? Point.ZERO)
  // u = (1 + y) / (1 - y) = n / d, kept as a ratio: half of the attempts never need the division.
  const [n, d] = [mod(Z + Y), mod(Z - Y)]
  const uPlusA = mod(n + A * d)
  if (n === 0n || d === 0n || uPlusA === 0n) return undefined
  // r² = -u / 2(u+A), or with the other choice of tweak -(u+A) / 2u: either is a square exactly where -2u(u+A) is one.
  const root = (tweak & 1) === 0 ? rootOfRatio(p - n, mod(2n * uPlusA)) : rootOfRatio(p - uPlusA, mod(2n * n))
  if (root === undefined) return undefined
  const representative = toBytes(nonNegative(root))
  representative[31]! |= tweak & 0xc0
  return { publicKey: toBytes((n * inverse(d)) % p), representative }
}

/** The public key of a representative; any 32 bytes are one. */
export function decodeRepresentative(representative: Uint8Array): Uint8Array {
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

/** Of a root and its negative the one up to (p-1)/2. */
function nonNegative(root: bigint): bigint {
  return root <= (p - 1n) / 2n ? root : p - root
}

function clamped(sk: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(sk)
  bytes[0]! &= 0xf8
  bytes[31] = (bytes[31]! & 0x7f) | 0x40
  return bytes
}

/** Never 0: a clamped key is a multiple of 8 below 8 times the odd order. */
function mod25519Order(scalar: bigint): bigint {
  return scalar % Point.Fn.ORDER
}

function multiplesOf(point: Point): Point[] {
  const points = [Point.ZERO]
  for (let i = 1; i < 8; i++) points.push(points[i - 1]!.add(point))
  return points
}
