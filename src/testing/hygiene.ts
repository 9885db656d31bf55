/** Cases: nothing is opened beside `connect`, nothing is left behind, and the operator hears no address. */
import assert from 'node:assert/strict'
import { PtError } from '../error.ts'
import type { Cases } from './case.ts'
import type { Lab } from './lab.ts'
import { openLab } from './lab.ts'
import { exchange, outcome, until, within } from './wait.ts'
import { watch } from './watch.ts'

const SESSIONS = 5

async function carrySome(lab: Lab): Promise<void> {
  const { halfClose, patience } = lab.settings
  for (let session = 0; session < SESSIONS; session++) {
    const { near, far } = await lab.open()
    await within(patience, '30000 bytes went each way', exchange(near, far, 30_000, halfClose))
    if (halfClose) continue
    near.destroy()
    ;(await far).destroy()
  }
}

export const hygieneCases: Cases = (transport, settings) => [
  {
    name: 'it opens sockets through connect() alone, and leaves neither connections nor timers',
    run: async () => {
      using watched = watch()
      await using lab = await openLab(transport, settings, { watch: watched })
      const carried = await outcome(carrySome(lab))
      assert.deepEqual(watched.strays, [], 'it has opened something by itself')
      if ('error' in carried) throw carried.error
      await lab.expectClosed()
      await until(settings.patience, 'no timer is left behind', () => watched.timers.size === 0)
    },
  },
  {
    name: 'it says no address to the operator',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const { near, far } = await lab.open()
      await within(settings.patience, '1 byte went each way', exchange(near, far, 1, false))
      const refused = new PtError('PT_CONNECT', 'connection refused')
      const dialed = lab.dial({ connect: () => Promise.reject(refused) })
      const { error } = await within(settings.patience, 'dial() has rejected', outcome(dialed))
      for (const said of [...lab.said, (error as Error).message]) {
        assert.ok(!said.includes(lab.target) && !said.includes('127.0.0.1'), `it said where the bridge is: ${said}`)
      }
    },
  },
]
