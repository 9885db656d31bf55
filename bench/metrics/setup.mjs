// Connections of fresh processes: one after another for their latency, and 32 in flight for their rate and what each costs.
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'
import { IN_FLIGHT, manyInFlight, setupLatencies, setupRate } from './opened.mjs'

/** @type {import('./index.mjs').Measure} */
export async function measureSetup(options, settings, add) {
  await withPair(options, async (pair) => {
    const one = { count: settings.setups, flight: 1, seconds: 10, warm: 0 }
    add(...setupLatencies(await load(pair, 'connect', one), 'set-up, one at a time'))
    const many = await load(pair, 'connect', manyInFlight(settings))
    add(...setupRate(many, `set-up, ${IN_FLIGHT} in flight`, 'a connection'))
    add(...setupLatencies(await load(pair, 'connect', one), 'set-up after those, one at a time'))
  })
}
