// Round trips of small messages on one open connection.
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'
import { latencies } from './latencies.mjs'

/** One byte, some, and a cell of Tor. */
export const pingSizes = [1, 64, 512]

/** @type {import('./index.mjs').Measure} */
export async function measurePing(options, settings, add) {
  await withPair(options, async (pair) => {
    const measure = async (size, name) => add(...(await roundTrips(pair, size, settings, name)))
    await measure(pingSizes[0], `first round trips, ${pingSizes[0]} B`)
    await load(pair, 'ping', { size: pingSizes.at(-1), count: settings.warmPings, seconds: 10 })
    for (const size of pingSizes) await measure(size, `round trip of ${size} B`)
  })
}

export async function roundTrips(pair, size, { pings }, name) {
  return latencies(name, 'µs', (await load(pair, 'ping', { size, count: pings, seconds: 10 })).us)
}
