import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backOff } from '../../src/parent/supervise.ts'

const options = { initialDelay: 250, maxDelay: 30_000, healthyAfter: 60_000, maxRestarts: 5 }

describe('the wait before a restart', () => {
  test.each([
    [1, 250],
    [2, 500],
    [3, 1000],
    [7, 16_000],
    [8, 30_000],
    [2000, 30_000],
  ])('number %i is %i ms at most', (attempt, ms) => {
    expect(backOff(options, attempt, 0)).toBe(ms)
    expect(backOff(options, attempt, 1)).toBe(ms / 2)
  })

  test('is always between half of that and that', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const most = backOff(options, attempt, 0)
        const wait = backOff(options, attempt, random)
        expect(wait).toBeGreaterThanOrEqual(most / 2)
        expect(wait).toBeLessThanOrEqual(most)
      }),
    )
  })
})
