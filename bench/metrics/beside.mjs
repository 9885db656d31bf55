// How long a new connection takes beside streams that never pause: a PT that serves each for long keeps it waiting.
import { setTimeout as delay } from 'node:timers/promises'
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'
import { setupLatencies } from './opened.mjs'

const BUSY = 8
/** Until all streams are at full speed, in ms. */
const RAMP_MS = 1_000

/** @type {import('./index.mjs').Measure} */
export async function measureBeside(options, { besideSeconds }, add) {
  await withPair(options, async (pair) => {
    const busy = load(pair, 'bulk', { way: 'up', streams: BUSY, seconds: besideSeconds, warm: 0 })
    const [, said] = await Promise.all([busy, openBeside(pair, besideSeconds)])
    // Of so few the worst hundredth is one connection.
    const [p50] = setupLatencies(said, `set-up beside ${BUSY} busy streams`)
    add(p50)
  })
}

async function openBeside(pair, besideSeconds) {
  await delay(RAMP_MS)
  // The rest is for the last one, which is not broken off.
  return await load(pair, 'connect', { count: 8, flight: 1, seconds: besideSeconds / 3, warm: 0.01 })
}
