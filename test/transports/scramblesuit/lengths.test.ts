import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { lengthSampler } from '../../../src/transports/scramblesuit/lengths.ts'

interface Table {
  readonly seed: string
  readonly min: number
  readonly max: number
  readonly biased: boolean
  readonly values: number[]
}

const tables = (
  JSON.parse(readFileSync(new URL('../../vectors/transport-vectors.json', import.meta.url), 'utf8')) as {
    weighted_dist: Table[]
  }
).weighted_dist.filter(({ min, max, biased }) => min === 21 && max === 1448 && biased)

test.each(tables)('lengths are those of the vector’s table for the seed $seed, and no others', ({ seed, values }) => {
  // A bridge sends 32 bytes, of which obfs4proxy's client takes the first 24.
  const sent = Buffer.from(seed + 'ff'.repeat(8), 'hex')
  const lengths = new Set(values.map((value) => 21 + value))
  // How likely each is, is drawn anew for each sampler: a single one may hardly ever give more than two or three.
  const samplers = Array.from({ length: 20 }, () => lengthSampler(sent))
  const seen = new Set(samplers.flatMap((sample) => Array.from({ length: 200 }, sample)))
  for (const length of seen) expect(lengths).toContain(length)
  expect(seen.size).toBeGreaterThan(Math.min(values.length, 10) / 3)
})

test('there are such tables among the vectors', () => expect(tables.length).toBeGreaterThan(1))
