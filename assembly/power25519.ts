/**
 * Powers in the field of 2^255 - 19, by a fixed chain of multiplications.
 */
import { copy, multiply, square } from './field25519'

const BASE: usize = memory.data(40, 16)
/** Raised to as many one bits as the exponent has so far, and to as many as are put behind them. */
const POWER: usize = memory.data(40, 16)
const PART: usize = memory.data(40, 16)

/** Puts the bits of `part`, which are `count`, behind those of POWER. */
function append(part: usize, count: i32): void {
  square(POWER, POWER, count)
  multiply(POWER, POWER, part)
}

/** a^((p-5)/8) = a^(2^252-3): 250 one bits, 0, 1. */
export function power2523(target: usize, a: usize): void {
  copy(BASE, a)
  copy(POWER, a)
  for (let ones = 1; ones < 125; ones *= 5) {
    copy(PART, POWER)
    for (let i = 1; i < 5; i++) append(PART, ones)
  }
  copy(PART, POWER)
  append(PART, 125)
  append(BASE, 2)
  copy(target, POWER)
}

/** a^(p-2), the inverse; 0 for 0. */
export function invert(target: usize, a: usize): void {
  power2523(target, a)
  // p-2 = 8 (2^252-3) + 3
  square(target, target, 3)
  multiply(target, target, BASE)
  square(BASE, BASE)
  multiply(target, target, BASE)
}
