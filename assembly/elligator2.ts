/**
 * Elligator 2 for Curve25519: keys that look like random bytes. src/crypto/elligator2.ts says what is made of which bytes.
 *
 * Both directions take one power each. For X and s = X^((p-5)/8), s²X is a fourth root of 1: 1 or -1 where X is a square, and then s or
 * √-1·s is 1/√X. Inverses come of the same s, by factors that X is given for them.
 */
import { multiplyBase, Y, Z } from './edwards25519'
import {
  A,
  add,
  choose,
  fromBytes,
  MINUS_A,
  multiply,
  ONE,
  ROOT_OF_MINUS_ONE,
  square,
  subtract,
  toBytes,
  ZERO,
} from './field25519'
import { power2523 } from './power25519'

/** Private key (32) | tweak (1). */
export const SEED: usize = memory.data(40, 16)
export const PUBLIC_KEY: usize = memory.data(32, 16)
export const REPRESENTATIVE: usize = memory.data(32, 16)

const SCALAR: usize = memory.data(32, 16)
const POINT: usize = memory.data(160, 16)
const BYTES: usize = memory.data(32, 16)
const N: usize = memory.data(40, 16)
const D: usize = memory.data(40, 16)
/** n + A d, the numerator of u + A. */
const U_PLUS_A: usize = memory.data(40, 16)
const PRODUCT: usize = memory.data(40, 16)
const SQUARE: usize = memory.data(40, 16)
const S: usize = memory.data(40, 16)
const R: usize = memory.data(40, 16)
const OTHER: usize = memory.data(40, 16)

/** The lowest bit of the canonical form, as a mask: all ones where it is set. */
function oddMask(a: usize): u32 {
  toBytes(BYTES, a)
  return -(load<u32>(BYTES) & 1)
}

/**
 * One attempt at a key pair, from SEED. False for one half of them: PUBLIC_KEY and REPRESENTATIVE are meaningless then. Takes the
 * same time and the same accesses to memory for all seeds.
 */
export function attempt(): bool {
  memory.copy(SCALAR, SEED, 32)
  store<u8>(SCALAR, load<u8>(SCALAR) & 0xf8)
  store<u8>(SCALAR, (load<u8>(SCALAR, 31) & 0x7f) | 0x40, 31)
  multiplyBase(POINT, SCALAR, load<u8>(SEED) & 7)
  // u = (1 + y) / (1 - y) = n / d
  add(N, POINT + Z, POINT + Y)
  subtract(D, POINT + Z, POINT + Y)
  multiply(U_PLUS_A, D, A)
  add(U_PLUS_A, U_PLUS_A, N)
  // X = -2 n (n + A d) d²
  multiply(PRODUCT, N, U_PLUS_A)
  multiply(PRODUCT, PRODUCT, D)
  add(PRODUCT, PRODUCT, PRODUCT)
  subtract(PRODUCT, ZERO, PRODUCT)
  multiply(SQUARE, PRODUCT, D)
  power2523(S, SQUARE)
  square(R, S)
  multiply(R, R, SQUARE)
  // R = s²X: 1, -1, a root of -1, or 0 where one of the factors is. 1 is odd, -1 and 0 are not.
  const isOne = oddMask(R)
  multiply(OTHER, S, ROOT_OF_MINUS_ONE)
  choose(S, S, OTHER, isOne)
  square(R, R)
  const isSquare = oddMask(R) & 1
  // u = n/d = n s² (X/d)
  square(OTHER, S)
  multiply(OTHER, OTHER, PRODUCT)
  multiply(OTHER, OTHER, N)
  toBytes(PUBLIC_KEY, OTHER)
  // r² = -u / 2(u+A), or by the tweak -(u+A) / 2u: r = n d s, or (n + A d) d s.
  const tweak = load<u8>(SEED, 32)
  choose(R, U_PLUS_A, N, -((<u32>tweak) & 1))
  multiply(R, R, D)
  multiply(R, R, S)
  // Of r and -r the one up to (p-1)/2, which is that whose double is even.
  add(OTHER, R, R)
  const isUpper = oddMask(OTHER)
  subtract(OTHER, ZERO, R)
  choose(R, OTHER, R, isUpper)
  toBytes(REPRESENTATIVE, R)
  store<u8>(REPRESENTATIVE, load<u8>(REPRESENTATIVE, 31) | (tweak & 0xc0), 31)
  return isSquare != 0
}

/** PUBLIC_KEY from REPRESENTATIVE, the two highest bits of which do not count. */
export function decode(): void {
  store<u8>(REPRESENTATIVE, load<u8>(REPRESENTATIVE, 31) & 0x3f, 31)
  fromBytes(R, REPRESENTATIVE)
  // w = -A / (1 + 2r²) = n / d; d is never 0, as -1/2 is no square.
  square(D, R)
  add(D, D, D)
  add(D, D, ONE)
  // X/d = n (n² + A n d + d²), and X = (w³ + A w² + w) d⁴; never 0, as w² + A w + 1 has no root.
  multiply(OTHER, D, A)
  add(OTHER, OTHER, MINUS_A)
  multiply(OTHER, OTHER, MINUS_A)
  square(PRODUCT, D)
  add(PRODUCT, PRODUCT, OTHER)
  multiply(PRODUCT, PRODUCT, MINUS_A)
  multiply(SQUARE, PRODUCT, D)
  power2523(S, SQUARE)
  square(S, S)
  multiply(R, S, SQUARE)
  // R = s²X, and R² = 1 where X is a square, -1 where not. 1/X = R² s⁴ X, so w = n (X/d) R² s⁴ X.
  square(R, R)
  const isSquare = oddMask(R)
  multiply(R, R, S)
  multiply(R, R, S)
  multiply(R, R, SQUARE)
  multiply(R, R, PRODUCT)
  multiply(R, R, MINUS_A)
  // u = w, or -w - A
  subtract(OTHER, MINUS_A, R)
  choose(R, R, OTHER, isSquare)
  toBytes(PUBLIC_KEY, R)
}
