// Round trips of small messages on one open connection.
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'

/** One byte, some, and a cell of Tor. */
const SIZES = [1, 64, 512]

/** @type {import('./index.mjs').Measure} */
export async function measurePing(options, { pings }, add) {
  await withPair(options, async (pair) => {
    for (const size of SIZES) {
      const { us } = await load(pair, 'ping', { size, count: pings, seconds: 10 })
      add(
        { name: `round trip of ${size} B, p50`, unit: 'µs', better: 'less', value: us.p50 },
        { name: `round trip of ${size} B, p99`, unit: 'µs', better: 'less', value: us.p99 },
      )
    }
  })
}
