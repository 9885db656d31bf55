// Connections of fresh processes: one after another for their latency, and 32 in flight for their rate and what each costs.
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'
import { bothEnds } from './ends.mjs'
import { setupLatencies } from './opened.mjs'

const IN_FLIGHT = 32
/** More than any candidate opens in a window. */
const NO_LIMIT = 200_000
const MS_PER_S = 1_000

/** @type {import('./index.mjs').Measure} */
export async function measureSetup(options, settings, add) {
  await withPair(options, async (pair) => {
    await measureConnections(pair, settings, '', add)
    add(...setupLatencies(await load(pair, 'connect', oneAtATime(settings)), 'set-up after those, one at a time'))
  })
}

/**
 * Of a pair in any state, which the names of the figures begin with.
 * @param {import('../pair.mjs').Pair} pair
 * @param {import('../settings.mjs').Settings} settings
 * @param {string} state
 * @param {(...figures: import('./index.mjs').Figure[]) => void} add
 */
export async function measureConnections(pair, settings, state, add) {
  const { setupSeconds, warmSeconds } = settings
  add(...setupLatencies(await load(pair, 'connect', oneAtATime(settings)), `${state}set-up, one at a time`))
  const many = { count: NO_LIMIT, flight: IN_FLIGHT, seconds: setupSeconds, warm: warmSeconds }
  add(...rate(await load(pair, 'connect', many), state))
}

function oneAtATime({ setups }) {
  return { count: setups, flight: 1, seconds: 10, warm: 0 }
}

function rate(said, state) {
  const { seconds, done, cpu } = said
  const name = `${state}set-up, ${IN_FLIGHT} in flight`
  const [, p99] = setupLatencies(said, name)
  return [
    { name, unit: 'conn/s', better: 'more', value: done / seconds },
    p99,
    ...bothEnds(
      `${state}a connection`,
      'ms',
      cpu.map((used) => (used * MS_PER_S) / done),
    ),
  ]
}
