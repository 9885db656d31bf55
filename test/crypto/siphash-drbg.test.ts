import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GoRandom } from '../../src/crypto/go-random.ts'
import { SipHashDrbg } from '../../src/crypto/siphash-drbg.ts'
import { hex, transportVectors } from '../transport-vectors.ts'
import { sipHash24 } from './siphash-reference.ts'

const seeds = fc.uint8Array({ minLength: 24, maxLength: 24 })
const blocks = (seed: Uint8Array, count: number): Buffer[] => {
  const drbg = new SipHashDrbg(seed)
  return Array.from({ length: count }, () => Buffer.from(drbg.block()))
}

test('the reference of these tests is SipHash-2-4: appendix A of its paper', () => {
  const key = hex('000102030405060708090a0b0c0d0e0f')
  expect(sipHash24(key, hex('000102030405060708090a0b0c0d0e'))).toBe(0xa129ca6149be45e5n)
})

describe('SipHashDrbg', () => {
  test.each(transportVectors.drbg)('the blocks of seed $seed', (vector) => {
    const drawn = blocks(hex(vector.seed), 301).map((block) => block.toString('hex'))
    expect(drawn.slice(0, 5)).toEqual(vector.blocks)
    expect(drawn[300]).toBe(vector.block301)
  })

  test('block n is the hash of all before it, through a whole turn of the length byte', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        let fed = Buffer.from(seed.subarray(16))
        for (const block of blocks(seed, 40)) {
          expect(block.readBigUInt64LE()).toBe(sipHash24(seed.subarray(0, 16), fed))
          fed = Buffer.concat([fed, block])
        }
      }),
      { numRuns: 30 },
    )
  })

  test('masks and 63-bit numbers are the big-endian readings of the blocks', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const expected = blocks(seed, 6)
        const drbg = new SipHashDrbg(seed)
        for (const block of expected.slice(0, 3)) expect(drbg.mask()).toBe(block.readUInt16BE())
        for (const block of expected.slice(3)) {
          const { upper, lower } = drbg.int63()
          expect((BigInt(upper) << 32n) | BigInt(lower)).toBe(block.readBigUInt64BE() & (2n ** 63n - 1n))
        }
      }),
    )
  })

  test.each([0, 23, 25])('a seed of %i bytes is none', (length) => {
    expect(() => new SipHashDrbg(new Uint8Array(length))).toThrow(RangeError)
  })

  test('a seed in the middle of a larger buffer', () => {
    const seed = hex(transportVectors.drbg.at(1)!.seed)
    const inside = Buffer.concat([hex('ff'), seed, hex('ff')]).subarray(1, 25)
    expect(blocks(inside, 3)).toEqual(blocks(seed, 3))
  })
})

describe('GoRandom', () => {
  test.each(transportVectors.drbg)('the numbers of seed $seed', ({ seed, rand_sequence: sequence }) => {
    const random = new GoRandom(hex(seed))
    for (const [what, n, expected] of sequence) {
      expect(what === 'intn' ? random.intn(n!) : random.float64()).toBe(expected)
    }
  })

  test('numbers are in range, floats are those of the 63 bits, and an order has each number once', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 2 ** 31 - 1 }), (seed, n) => {
        const random = new GoRandom(seed)
        const drawn = random.intn(n)
        expect(drawn).toBeGreaterThanOrEqual(0)
        expect(drawn).toBeLessThan(n)
        const block = blocks(seed, 1).at(0)!
        const float = Number(block.readBigUInt64BE() & (2n ** 63n - 1n)) / 2 ** 63
        expect(new GoRandom(seed).float64()).toBe(float)
        const order = new GoRandom(seed).perm((n % 50) + 1)
        expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: (n % 50) + 1 }, (_, i) => i))
      }),
    )
  })
})
