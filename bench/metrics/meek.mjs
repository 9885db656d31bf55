// Our client of meek beside obfs4proxy's, each with a server of ours and over http, so that what is compared is requests and not TLS:
// throughput with 1 and 8 streams up and down, and the CPU time of both ends.
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'
import { readWindow } from './bulk.mjs'

/** @type {import('./index.mjs').Measure} */
export async function measureMeek(options, { windowSeconds, warmSeconds, transferBytes }, add) {
  const argsFor = (server) => ({ url: `http://${server}/` })
  await withPair({ ...options, transport: 'meek', clientTransport: 'meek_lite', argsFor }, async (pair) => {
    // A fast PT must be a right one.
    await load(pair, 'transfer', { bytes: transferBytes / 4 })
    for (const streams of [1, 8]) {
      for (const way of ['up', 'down']) {
        const said = await load(pair, 'bulk', { way, streams, seconds: windowSeconds, warm: 2 * warmSeconds })
        add(...readWindow(said, `${way}, ${streams === 1 ? '1 stream' : `${streams} streams`}`))
      }
    }
  })
}
