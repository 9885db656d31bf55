// The same figures of processes that are in use: that have carried some gigabytes, as a PT has that runs for days. A garbage collector
// shows in them which has had nothing to collect before.
import { setTimeout as delay } from 'node:timers/promises'
import { load } from '../load.mjs'
import { IN_FLIGHT, manyInFlight, setupLatencies, setupRate } from './opened.mjs'
import { pingSizes, roundTrips } from './ping.mjs'

/** Until what was closed is gone, in ms. */
const REST_MS = 800

/**
 * @param {import('../pair.mjs').Pair} pair behind bulk
 * @param {import('../settings.mjs').Settings} settings
 * @param {(...figures: import('./index.mjs').Figure[]) => void} add
 */
export async function measureInUse(pair, settings, add) {
  const one = { count: settings.setups, flight: 1, seconds: 10, warm: 0 }
  add(...setupLatencies(await load(pair, 'connect', one), 'in use: set-up, one at a time'))
  const many = await load(pair, 'connect', manyInFlight(settings))
  add(...setupRate(many, `in use: set-up, ${IN_FLIGHT} in flight`, 'in use: a connection'))
  await delay(REST_MS)
  for (const size of pingSizes) add(...(await roundTrips(pair, size, settings, `in use: round trip of ${size} B`)))
}
