import { expect, test } from 'vitest'
import { Rhythm } from '../../../src/transports/meek/polling/rhythm.ts'

test('a client without data asks as obfs4proxy and lyrebird do, after 0.1 s and then by half as long again up to 5 s', () => {
  const rhythm = new Rhythm()
  const pauses = Array.from({ length: 13 }, () => Math.round(rhythm.next(false)))
  expect(pauses).toEqual([100, 150, 225, 338, 506, 759, 1139, 1709, 2563, 3844, 5000, 5000, 5000])
})

test('after bytes either way it asks at once, and then begins with 0.1 s again', () => {
  const rhythm = new Rhythm()
  const pauses = [false, false, true, true, false, false].map((moved) => rhythm.next(moved))
  expect(pauses).toEqual([100, 150, 0, 0, 100, 150])
})
