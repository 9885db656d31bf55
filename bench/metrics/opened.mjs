// What the load generator says of connections that it opened.
import { bothEnds } from './ends.mjs'
import { latencies } from './latencies.mjs'

const MS_PER_S = 1_000

/** The latencies of a set-up, in ms. A connection that failed fails the case. */
export function setupLatencies({ done, failed, us }, name) {
  if (failed > 0 || done === 0) throw new Error(`${name}: ${failed} failed, ${done} were opened`)
  return latencies(name, 'ms', us)
}

/** How many a second, the slowest of them, and the CPU time of one, which is called `one`. */
export function setupRate(said, name, one) {
  const { seconds, done, cpu } = said
  const [, p99] = setupLatencies(said, name)
  return [
    { name, unit: 'conn/s', better: 'more', value: done / seconds },
    p99,
    ...bothEnds(
      one,
      'ms',
      cpu.map((used) => (used * MS_PER_S) / done),
    ),
  ]
}

/** Options of the load generator: more than any candidate opens in a window. */
export function manyInFlight({ setupSeconds, warmSeconds }) {
  return { count: 200_000, flight: IN_FLIGHT, seconds: setupSeconds, warm: warmSeconds }
}

export const IN_FLIGHT = 32
