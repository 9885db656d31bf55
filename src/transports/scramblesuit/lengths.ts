/**
 * How long the last segment of a burst of packets is: 21 to 1448 bytes, by a distribution that each server has for itself.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { memoizeByBytes } from '../../crypto/memoize.ts'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'
import type { SampleSource, WeightedDist } from '../../crypto/weighted-dist.ts'
import { weightedDist } from '../../crypto/weighted-dist.ts'
import { packetOverhead, segmentLength } from './packet.ts'

const systemSource: SampleSource = {
  int: (n) => randomInt(n),
  // A number between 0 and 1 has 53 bits.
  float: () => Number(randomBytes(8).readBigUInt64BE() >> 11n) / 2 ** 53,
}

/**
 * Makes a sampler of the distribution that the first 24 bytes of `seed` stand for. Its tables, which take a millisecond, are made when it
 * is first asked: a client that only receives needs none.
 */
export function lengthSampler(seed: Uint8Array): () => number {
  const kept = Buffer.from(seed.subarray(0, drbgSeedLength))
  let distribution: WeightedDist | undefined
  return () => (distribution ??= distributionOf(kept)).sample()
}

/** Remembers the last few distributions: a client dials few bridges often. */
const distributionOf = memoizeByBytes(16, (seed) =>
  weightedDist(seed, { min: packetOverhead, max: segmentLength, biased: true }, systemSource),
)
