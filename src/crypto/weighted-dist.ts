/**
 * A random distribution that follows from a seed, and sampling from it: how long bursts are, and how long pauses.
 *
 *     seed ── values (1 to 100 of min … max, in random order) ── weights ── alias tables of Vose ── samples
 *
 * The tables are a bridge's own and stay the same across restarts; the samples come from the system's randomness.
 */
import { GoRandom } from './go-random.ts'

const maxValues = 100

/** The tables, as the reference has them; `values` are offsets from the minimum. */
interface WeightedTables {
  readonly values: readonly number[]
  readonly weights: readonly number[]
  readonly prob: readonly number[]
  readonly alias: readonly number[]
}

export interface WeightedDist {
  readonly tables: WeightedTables
  /** A value from min to max. */
  sample(): number
}

/** Numbers for sampling. */
export interface SampleSource {
  /** 0 to n-1. */
  int(n: number): number
  /** From 0 up to and without 1. */
  float(): number
}

export interface WeightedDistOptions {
  readonly min: number
  readonly max: number
  /** Gives earlier values the greater weight, as scramblesuit does. */
  readonly biased?: boolean
}

/** The distribution of a 24-byte seed over `min` to `max`, both inclusive. */
export function weightedDist(
  seed: Uint8Array,
  { min, max, biased = false }: WeightedDistOptions,
  source: SampleSource,
): WeightedDist {
  const random = new GoRandom(seed)
  const count = max + 1 - min
  const order = random.perm(count)
  const values = order.slice(0, random.intn(Math.min(Math.max(count, 1), maxValues)) + 1)
  const weights = drawWeights(random, values.length, biased)
  const { prob, alias } = aliasTables(weights)
  return {
    tables: { values, weights, prob, alias },
    sample() {
      const i = source.int(values.length)
      return min + values[source.float() <= prob[i]! ? i : alias[i]!]!
    },
  }
}

function drawWeights(random: GoRandom, count: number, biased: boolean): number[] {
  let spent = 0
  return Array.from({ length: count }, () => {
    const weight = biased ? (1 - spent) * random.float64() : random.float64()
    spent += weight
    return weight
  })
}

/** Vose's method. The order of the queues and of each operation is the reference's, to the last bit of a double. */
function aliasTables(weights: readonly number[]): { prob: number[]; alias: number[] } {
  const n = weights.length
  const sum = weights.reduce((total, weight) => total + weight, 0)
  const scaled = weights.map((weight) => (weight * n) / sum)
  const prob = Array.from({ length: n }, () => 1)
  const alias = Array.from({ length: n }, () => 0)
  const small: number[] = []
  const large: number[] = []
  const sort = (i: number): number => (scaled[i]! < 1 ? small : large).push(i)
  for (let i = 0; i < n; i++) sort(i)
  while (small.length > 0 && large.length > 0) {
    const [less, greater] = [small.shift()!, large.shift()!]
    prob[less] = scaled[less]!
    alias[less] = greater
    scaled[greater] = scaled[greater]! + scaled[less]! - 1
    sort(greater)
  }
  return { prob, alias }
}
