// Throughput with 1, 8 and 64 streams up and down, and the CPU time that a gigabyte costs each end.
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'
import { bothEnds } from './ends.mjs'

const MB = 1e6
const GB = 1e9

/** @type {import('./index.mjs').Measure} */
export async function measureBulk(options, { streams, windowSeconds, warmSeconds }) {
  return await withPair(options, async (pair) => {
    const figures = []
    for (const count of streams) {
      for (const way of ['up', 'down']) {
        const window = { way, streams: count, seconds: windowSeconds, warm: warmSeconds }
        figures.push(
          ...readWindow(await load(pair, 'bulk', window), `${way}, ${count === 1 ? '1 stream' : `${count} streams`}`),
        )
      }
    }
    return figures
  })
}

/**
 * @param {{ seconds: number, bytes: number, dead: number, cpu: number[] }} window what the load generator said
 * @param {string} name
 * @returns {import('./index.mjs').Figure[]}
 */
function readWindow({ seconds, bytes, dead, cpu }, name) {
  if (dead > 0) throw new Error(`${name}: ${dead} streams ended during the window`)
  if (bytes === 0) throw new Error(`${name}: nothing arrived during the window`)
  return [
    { name, unit: 'MB/s', better: 'more', value: bytes / MB / seconds },
    ...bothEnds(
      name,
      's/GB',
      cpu.map((used) => used / (bytes / GB)),
    ),
  ]
}
