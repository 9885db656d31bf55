// How long a new connection takes beside streams that never pause: a PT that serves each for long keeps it waiting.
import { setTimeout as delay } from 'node:timers/promises'
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'
import { latencies } from './latencies.mjs'

const BUSY = 8
/** Until all streams are at full speed, in ms. */
const RAMP_MS = 1_000

/** @type {import('./index.mjs').Measure} */
export async function measureBeside(options, { besideSeconds }, add) {
  await withPair(options, async (pair) => {
    const busy = load(pair, 'bulk', { way: 'up', streams: BUSY, seconds: besideSeconds, warm: 0 })
    const [, { done, failed, us }] = await Promise.all([busy, openBeside(pair, besideSeconds)])
    const name = `set-up beside ${BUSY} busy streams`
    if (failed > 0 || done === 0) throw new Error(`${name}: ${failed} failed, ${done} were opened`)
    add(...latencies(name, 'ms', us).slice(0, 1))
  })
}

async function openBeside(pair, besideSeconds) {
  await delay(RAMP_MS)
  // The rest is for the last one, which is not broken off.
  return await load(pair, 'connect', { count: 8, flight: 1, seconds: besideSeconds / 3, warm: 0.01 })
}
