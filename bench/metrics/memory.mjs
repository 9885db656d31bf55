// Resident memory: of a process that has served one connection, and what a thousand idle connections add.
import { setTimeout as sleep } from 'node:timers/promises'
import { readLines, stop } from '../children.mjs'
import { launchLoad, load } from '../load.mjs'
import { residentMiB } from '../memory.mjs'
import { withPair } from '../pair.mjs'

const IN_FLIGHT = 32
const PATIENCE_MS = 120_000

/** @type {import('./index.mjs').Measure} */
export async function measureMemory(options, { held, settleMs }, add) {
  await withPair({ ...options, connections: held }, async (pair) => {
    await load(pair, 'connect', { count: 1, warm: 0 })
    await sleep(settleMs)
    const idle = pair.pids.map(residentMiB)
    const full = await whileHeld(pair, held, async () => {
      await sleep(settleMs)
      return pair.pids.map(residentMiB)
    })
    for (const [at, end] of ['client', 'server'].entries()) {
      const thousand = ((full[at] - idle[at]) / held) * 1_000
      add(
        { name: `idle RSS, ${end}`, unit: 'MiB', better: 'less', value: idle[at] },
        { name: `RSS per 1,000 connections, ${end}`, unit: 'MiB', better: 'less', value: thousand },
      )
    }
  })
}

async function whileHeld(pair, count, use) {
  const child = launchLoad(pair, 'hold', { count, flight: IN_FLIGHT })
  try {
    const { done, failed } = JSON.parse((await readLines(child, () => true, PATIENCE_MS))[0])
    if (done < count) throw new Error(`only ${done} of ${count} connections could be held, ${failed} failed`)
    return await use()
  } finally {
    await stop(child)
  }
}
