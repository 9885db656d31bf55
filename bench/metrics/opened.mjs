// What the load generator says of connections that it opened.
import { latencies } from './latencies.mjs'

/** The latencies of a set-up, in ms. A connection that failed fails the case. */
export function setupLatencies({ done, failed, us }, name) {
  if (failed > 0 || done === 0) throw new Error(`${name}: ${failed} failed, ${done} were opened`)
  return latencies(name, 'ms', us)
}
