// The same figures of processes that are in use: that have carried some gigabytes, as a PT has that runs for days. A garbage collector
// shows in them which has had nothing to collect before.
import { setTimeout as delay } from 'node:timers/promises'
import { pingSizes, roundTrips } from './ping.mjs'
import { measureConnections } from './setup.mjs'

const STATE = 'in use: '
/** Until what was closed is gone, in ms. */
const REST_MS = 800

/**
 * @param {import('../pair.mjs').Pair} pair behind bulk
 * @param {import('../settings.mjs').Settings} settings
 * @param {(...figures: import('./index.mjs').Figure[]) => void} add
 */
export async function measureInUse(pair, settings, add) {
  await measureConnections(pair, settings, STATE, add)
  await delay(REST_MS)
  for (const size of pingSizes) add(...(await roundTrips(pair, size, settings, `${STATE}round trip of ${size} B`)))
}
