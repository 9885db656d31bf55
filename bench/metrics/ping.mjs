// Round trips of small messages on one open connection.
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'

/** One byte, some, and a cell of Tor. */
const SIZES = [1, 64, 512]

/** @type {import('./index.mjs').Measure} */
export async function measurePing(options, { pings, warmPings }, add) {
  await withPair(options, async (pair) => {
    const measure = async (size, name) =>
      add(...latencies(await load(pair, 'ping', { size, count: pings, seconds: 10 }), name))
    await measure(SIZES[0], `first round trips, ${SIZES[0]} B`)
    await load(pair, 'ping', { size: SIZES.at(-1), count: warmPings, seconds: 10 })
    for (const size of SIZES) await measure(size, `round trip of ${size} B`)
  })
}

function latencies({ us }, name) {
  return [
    { name: `${name}, p50`, unit: 'µs', better: 'less', value: us.p50 },
    { name: `${name}, p99`, unit: 'µs', better: 'less', value: us.p99 },
  ]
}
