/**
 * How long the last segment of a burst of packets is: 21 to 1448 bytes, by a distribution that each server has for itself.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'
import type { SampleSource } from '../../crypto/weighted-dist.ts'
import { weightedDist } from '../../crypto/weighted-dist.ts'
import { packetOverhead, segmentLength } from './packet.ts'

const systemSource: SampleSource = {
  int: (n) => randomInt(n),
  // 53 random bits are as many as a number of 0 to 1 has.
  float: () => Number(randomBytes(8).readBigUInt64BE() >> 11n) / 2 ** 53,
}

/** A sampler of the distribution that the first 24 bytes of `seed` stand for. */
export function lengthSampler(seed: Uint8Array): () => number {
  const options = { min: packetOverhead, max: segmentLength, biased: true }
  const distribution = weightedDist(seed.subarray(0, drbgSeedLength), options, systemSource)
  return () => distribution.sample()
}
