/**
 * The shape that a side gives its traffic: how long bursts are, and how long the pauses between frames (iat-mode 1 and 2).
 */
import { createHash } from 'node:crypto'
import { memoizeByBytes } from '../../crypto/memoize.ts'
import type { SampleSource, WeightedDist } from '../../crypto/weighted-dist.ts'
import { weightedDist } from '../../crypto/weighted-dist.ts'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'
import { lengthRange, pauseRange } from './constants.ts'
import type { Machine } from './machine.ts'

export interface Shape {
  /** Draws a length from 0 to 1448. */
  length(): number
  /** Draws a pause from 0 to 100, in units of 100 µs. */
  pause(): number
}

/** Gives the shape of a 24-byte seed. Its tables are made when they are first asked for: most clients get a bridge's seed first. */
export function shapeOf(seed: Uint8Array, machine: Machine): Shape {
  const source = sampleSource(machine)
  let lengths: WeightedDist | undefined
  let pauses: WeightedDist | undefined
  return {
    length: () => (lengths ??= weightedDist(seed, lengthRange, source)).sample(),
    pause: () => (pauses ??= weightedDist(pauseSeed(seed), pauseRange, source)).sample(),
  }
}

/** Derives the seed of the pauses from that of the lengths. */
function pauseSeed(seed: Uint8Array): Uint8Array {
  return createHash('sha256').update(seed).digest().subarray(0, drbgSeedLength)
}

function sampleSource({ randomInt }: Machine): SampleSource {
  const floatSteps = 2 ** 47
  return { int: randomInt, float: () => randomInt(floatSteps) / floatSteps }
}

/** Remembers the shapes of the last few seeds, for a client that dials few bridges often. */
export function shapeCache(machine: Machine, size: number = 16): (seed: Uint8Array) => Shape {
  // The seed is copied, because it may lie in memory that is used for others.
  return memoizeByBytes(size, (seed) => shapeOf(Buffer.from(seed), machine))
}
