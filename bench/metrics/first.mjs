// The first connection of fresh processes beside their tenth: an observer tells by it a program that is compiled while it runs.
import { setTimeout as sleep } from 'node:timers/promises'
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'

/** After METHODS DONE a parent has other things to do first. */
const IDLE_MS = 1_000
/** In seconds; without it the load generator would open some connections that it does not count. */
const NO_WARM_UP = 1e-9
const TENTH = 10
const US_PER_MS = 1_000

/** @type {import('./index.mjs').Measure} */
export async function measureFirst(options, _settings, add) {
  await withPair(options, async (pair) => {
    await sleep(IDLE_MS)
    const ms = []
    for (let count = 0; count < TENTH; count++) ms.push(await oneConnection(pair))
    const [first, tenth] = [ms[0], ms.at(-1)]
    add(
      { name: 'first connection', unit: 'ms', better: 'less', value: first },
      { name: 'tenth connection', unit: 'ms', better: 'less', value: tenth },
      { name: 'first connection, in tenth ones', unit: '×', better: 'less', value: first / tenth },
    )
  })
}

async function oneConnection(pair) {
  const { done, us } = await load(pair, 'connect', { count: 1, flight: 1, seconds: 10, warm: NO_WARM_UP })
  if (done !== 1) throw new Error('the connection failed')
  return us.p50 / US_PER_MS
}
