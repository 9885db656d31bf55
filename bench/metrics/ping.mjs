// Round trips of small messages on one open connection.
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'
import { latencies } from './latencies.mjs'

/** One byte, some, and a cell of Tor. */
const SIZES = [1, 64, 512]

/** @type {import('./index.mjs').Measure} */
export async function measurePing(options, { pings, warmPings }, add) {
  await withPair(options, async (pair) => {
    const measure = async (size, name) =>
      add(...latencies(name, 'µs', (await load(pair, 'ping', { size, count: pings, seconds: 10 })).us))
    await measure(SIZES[0], `first round trips, ${SIZES[0]} B`)
    await load(pair, 'ping', { size: SIZES.at(-1), count: warmPings, seconds: 10 })
    for (const size of SIZES) await measure(size, `round trip of ${size} B`)
  })
}
