// A fast PT must be a right one: bytes up, down and echoed, counted and compared. No figure: it passes, or the case fails.
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'

/** @type {import('./index.mjs').Measure} */
export async function measureTransfer(options, { transferBytes }) {
  await withPair(options, async (pair) => await load(pair, 'transfer', { bytes: transferBytes }))
}
