// Connections: one after another for their latency, and 32 in flight for their rate and what each costs.
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'
import { bothEnds } from './ends.mjs'
import { setupLatencies } from './opened.mjs'

const IN_FLIGHT = 32
/** More than any candidate opens in a window. */
const NO_LIMIT = 200_000
const MS_PER_S = 1_000

/** @type {import('./index.mjs').Measure} */
export async function measureSetup(options, { setups, setupSeconds, warmSeconds }, add) {
  await withPair(options, async (pair) => {
    const one = { count: setups, flight: 1, seconds: 10, warm: 0 }
    add(...setupLatencies(await load(pair, 'connect', one), 'set-up, one at a time'))
    const many = { count: NO_LIMIT, flight: IN_FLIGHT, seconds: setupSeconds, warm: warmSeconds }
    add(...rate(await load(pair, 'connect', many), `set-up, ${IN_FLIGHT} in flight`))
    add(...setupLatencies(await load(pair, 'connect', one), 'set-up after those, one at a time'))
  })
}

function rate(said, name) {
  const { seconds, done, cpu } = said
  const [, p99] = setupLatencies(said, name)
  return [
    { name, unit: 'conn/s', better: 'more', value: done / seconds },
    p99,
    ...bothEnds(
      'a connection',
      'ms',
      cpu.map((used) => (used * MS_PER_S) / done),
    ),
  ]
}
