// Throughput with 1, 8 and 64 streams up and down, and the CPU time that a gigabyte costs each end; then what connections cost
// processes that have carried all that.
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'
import { isMeasuredInUse } from '../plan.mjs'
import { bothEnds } from './ends.mjs'
import { measureInUse } from './in-use.mjs'

const MB = 1e6
const GB = 1e9
/** So many streams have room in their sockets for a second of an upload, of which the far end has seen nothing yet. */
const MANY = 16

/**
 * A window that fails does not take the others with it; all of them fail the case in the end.
 * @type {import('./index.mjs').Measure}
 */
export async function measureBulk(options, settings, add) {
  const { streams, windowSeconds, warmSeconds, fillSeconds } = settings
  const failed = []
  await withPair(options, async (pair) => {
    for (const count of streams) {
      for (const way of ['up', 'down']) {
        const name = `${way}, ${count === 1 ? '1 stream' : `${count} streams`}`
        const warm = count >= MANY && way === 'up' ? fillSeconds : warmSeconds
        const window = { way, streams: count, seconds: windowSeconds, warm }
        try {
          add(...readWindow(await load(pair, 'bulk', window), name))
        } catch (error) {
          failed.push(`${name}: ${error.message}`)
        }
      }
    }
    if (isMeasuredInUse(options)) await measureInUse(pair, settings, add)
  })
  if (failed.length > 0) throw new Error(failed.join('; '))
}

/**
 * @param {{ seconds: number, bytes: number, dead: number, cpu: number[] }} window what the load generator said
 * @param {string} name
 * @returns {import('./index.mjs').Figure[]}
 */
export function readWindow({ seconds, bytes, dead, cpu }, name) {
  if (dead > 0) throw new Error(`${dead} streams ended during the window`)
  if (bytes === 0) throw new Error(`nothing arrived during the window`)
  return [
    { name, unit: 'MB/s', better: 'more', value: bytes / MB / seconds },
    ...bothEnds(
      name,
      's/GB',
      cpu.map((used) => used / (bytes / GB)),
    ),
  ]
}
