/**
 * The numbers that Go's math/rand draws from a source, here from the DRBG: a peer's tables of lengths and a bridge's close
 * delay follow from its seed only if each number takes the same blocks.
 */
import { SipHashDrbg } from './siphash-drbg.ts'

const twoTo31 = 2 ** 31

export class GoRandom {
  readonly #source: SipHashDrbg

  /** `seed` is 24 bytes. */
  constructor(seed: Uint8Array) {
    this.#source = new SipHashDrbg(seed)
  }

  /** Returns a number of 0 to n-1, for n of 1 to 2^31-1. It takes a block even if n is 1. */
  intn(n: number): number {
    if ((n & (n - 1)) === 0) return this.#source.int63().upper & (n - 1)
    const max = twoTo31 - 1 - (twoTo31 % n)
    let drawn = this.#source.int63().upper
    while (drawn > max) drawn = this.#source.int63().upper
    return drawn % n
  }

  /** A number from 0 up to and without 1. */
  float64(): number {
    for (;;) {
      const { upper, lower } = this.#source.int63()
      // The sum is rounded once, as the conversion of the whole 63 bits would be; it may round up to 1.
      const float = (upper * 2 ** 32 + lower) / 2 ** 63
      if (float !== 1) return float
    }
  }

  /** 0 to n-1 in a random order. */
  perm(n: number): number[] {
    const order = Array.from({ length: n }, () => 0)
    for (let i = 0; i < n; i++) {
      const j = this.intn(i + 1)
      order[i] = order[j]!
      order[j] = i
    }
    return order
  }
}
