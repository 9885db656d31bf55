import { describe, expect, test } from 'vitest'
import { weightedDist } from '../../src/crypto/weighted-dist.ts'
import { hex, transportVectors } from '../transport-vectors.ts'

/** The same numbers in every run: a generator of 31 bits is random enough for counting. */
function counting(seed: number): { int(n: number): number; float(): number } {
  let state = seed
  const next = (): number => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) / 2 ** 31
  return { int: (n) => Math.floor(next() * n), float: next }
}

describe('weightedDist', () => {
  test.each(transportVectors.weighted_dist)(
    'the tables of $seed over $min to $max, biased: $biased, are the reference’s to the last bit',
    ({ seed, min, max, biased, values, weights, prob, alias }) => {
      const { tables } = weightedDist(hex(seed), { min, max, biased }, counting(1))
      expect(tables.weights).toEqual(weights)
      expect(tables.prob).toEqual(prob)
      expect(tables.alias).toEqual(alias)
      expect(tables.values).toEqual(values)
    },
  )

  test('samples come as often as their weights say', () => {
    const vector = transportVectors.weighted_dist.at(0)!
    const dist = weightedDist(hex(vector.seed), vector, counting(7))
    const total = vector.weights.reduce((sum, weight) => sum + weight, 0)
    const count = new Map<number, number>()
    for (let i = 0; i < 100_000; i++) {
      const value = dist.sample()
      count.set(value, (count.get(value) ?? 0) + 1)
    }
    for (const [i, value] of vector.values.entries()) {
      expect((count.get(value) ?? 0) / 100_000).toBeCloseTo(vector.weights.at(i)! / total, 2)
    }
    expect(count.size).toBeLessThanOrEqual(vector.values.length)
  })

  test('both ends of the range can be drawn, and one value is a range too', () => {
    const seen = new Set<number>()
    for (let byte = 0; byte < 60; byte++) {
      const dist = weightedDist(Buffer.alloc(24, byte), { min: 3, max: 5 }, counting(byte + 1))
      for (let i = 0; i < 20; i++) seen.add(dist.sample())
    }
    expect([...seen].toSorted((a, b) => a - b)).toEqual([3, 4, 5])
    expect(weightedDist(Buffer.alloc(24), { min: 9, max: 9 }, counting(1)).sample()).toBe(9)
  })
})
