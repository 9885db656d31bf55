import { describe, expect, test } from 'vitest'
import type { ReplayFilter } from '../../src/crypto/replay-filter.ts'
import { replayFilter } from '../../src/crypto/replay-filter.ts'

const value = (n: number): Uint8Array => Uint8Array.of(n >> 8, n & 255)

function atTime(capacity?: number): { filter: ReplayFilter; clock: { time: number } } {
  const clock = { time: 1_000 }
  const limit = capacity === undefined ? {} : { capacity }
  return { filter: replayFilter({ ttl: 100, now: () => clock.time, ...limit }), clock }
}

describe('replayFilter', () => {
  test('a value is new once', () => {
    const { filter } = atTime()
    expect([1, 2, 1, 2, 3].map((n) => filter.testAndSet(value(n)))).toEqual([false, false, true, true, false])
    expect(filter.size).toBe(3)
  })

  test('a value is forgotten when its time is over, counted from when it was first seen', () => {
    const { filter, clock } = atTime()
    filter.testAndSet(value(1))
    clock.time += 99
    expect(filter.testAndSet(value(1))).toBe(true)
    clock.time += 1
    expect(filter.testAndSet(value(1))).toBe(false)
    expect(filter.size).toBe(1)
  })

  test('beyond its capacity the oldest value is forgotten', () => {
    const { filter } = atTime(3)
    for (let n = 1; n <= 4; n++) filter.testAndSet(value(n))
    expect(filter.size).toBe(3)
    expect(filter.testAndSet(value(4))).toBe(true)
    expect(filter.testAndSet(value(1))).toBe(false)
  })

  test('a clock that was set back makes it forget everything', () => {
    const { filter, clock } = atTime()
    filter.testAndSet(value(1))
    clock.time -= 1
    expect(filter.testAndSet(value(2))).toBe(false)
    expect(filter.size).toBe(1)
  })

  test('what it was given may change afterwards', () => {
    const { filter } = atTime()
    const bytes = Buffer.from('abcd')
    filter.testAndSet(bytes.subarray(1, 3))
    bytes.fill(0)
    expect(filter.testAndSet(Buffer.from('bc'))).toBe(true)
  })

  test('a value costs the same when it is full as when it was not', () => {
    const { filter } = atTime()
    const four = Buffer.alloc(4)
    let n = 0
    const cost = (): number => {
      const before = process.cpuUsage()
      for (let i = 0; i < 50_000; i++) {
        four.writeUInt32BE(n++)
        filter.testAndSet(four)
      }
      const { user, system } = process.cpuUsage(before)
      return user + system
    }
    const filling = cost() + cost()
    const full = cost() + cost()
    // It was forty times as much, and rose with each value.
    expect(full).toBeLessThan(10 * filling)
    expect(filter.size).toBe(102_400)
  })

  test('it never holds more than 102,400 values', () => {
    const { filter } = atTime()
    const four = Buffer.alloc(4)
    for (let n = 0; n < 102_500; n++) {
      four.writeUInt32BE(n)
      filter.testAndSet(four)
    }
    expect(filter.size).toBe(102_400)
  })
})
