/** Cases: what outlives a connection, how it is closed, and which address the server gives for its client. */
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { parseAddress } from '../ipc/index.ts'
import { readUserAddress } from '../sessions/user-address.ts'
import type { Cases } from './case.ts'
import type { Lab } from './lab.ts'
import { openLab } from './lab.ts'
import { exchange, gone, outcome, until, within } from './wait.ts'

async function exchangeSome(lab: Lab, near: Duplex, far: Duplex | Promise<Duplex>, what: string): Promise<void> {
  await within(lab.settings.patience, what, exchange(near, far, 1_000, false))
}

const outlivingCases: Cases = (transport, settings) => [
  {
    name: 'a session goes on over a new connection when the old one has broken, and no byte is lost',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const { near, far } = await lab.open()
      await exchangeSome(lab, near, far, '1000 bytes went each way')
      const before = lab.clientWires.length
      for (const wire of [...lab.clientWires, ...lab.serverWires]) wire.reset()
      const { error } = await outcome(exchangeSome(lab, near, far, '1000 bytes went each way'))
      if (error instanceof Error) assert.fail(`the session has ended with its connection: ${error.message}`)
      assert.ok(lab.clientWires.length > before, 'there was no new connection')
      assert.equal(lab.userAddrs.length, 1, 'the same session came twice')
    },
  },
  {
    name: 'a session whose peer cannot be reached any more ends at both ends',
    run: async () => {
      await using lab = await openLab(transport, settings)
      let isDown = false
      const far = lab.next()
      const near = await lab.dial({
        connect: async (target, signal) => {
          if (isDown) throw Object.assign(new Error('connect ENETUNREACH'), { code: 'ENETUNREACH' })
          return await lab.connect(target, signal)
        },
      })
      await exchangeSome(lab, near, far, '1000 bytes went each way')
      isDown = true
      for (const wire of [...lab.clientWires, ...lab.serverWires]) wire.reset()
      await gone(settings.patience, "the client's stream ends without a way to the server", near)
      await gone(settings.patience, "the server's stream ends without its client", await far)
      near.destroy()
      ;(await far).destroy()
      await lab.expectClosed()
    },
  },
]

export const sessionCases: Cases = (transport, settings) => [
  ...(settings.outlivesConnections ? outlivingCases(transport, settings) : []),
  {
    name: 'close() settles, ends what outlives connections, and may be called in the middle of a connection',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const { near, far } = await lab.open()
      await exchangeSome(lab, near, far, '1000 bytes went each way')
      // A PT has cut its connections before it calls close(), but sessions are the transport's.
      if (!settings.outlivesConnections) for (const wire of [...lab.clientWires, ...lab.serverWires]) wire.destroy()
      await lab.close()
      await gone(settings.patience, "the client's stream has ended after close()", near)
      await gone(settings.patience, "the server's stream has ended after close()", await far)
      await lab.expectClosed()
    },
  },
  {
    name:
      settings.userAddr === undefined
        ? "what the server says of its client's address is an address"
        : `the server says that its client is ${settings.userAddr}`,
    run: async () => {
      await using lab = await openLab(transport, settings)
      const { front, userAddr } = settings
      const far = lab.next()
      const near = await lab.dial(front === undefined ? {} : { target: await front(lab.target) })
      await exchangeSome(lab, near, far, '1000 bytes went each way')
      await until(settings.patience, 'a stream has come', () => lab.userAddrs.length > 0)
      const [said] = lab.userAddrs
      const read = readUserAddress(said)
      if (said !== undefined) assert.ok(read !== undefined, `it said what is no address: ${said}`)
      if (userAddr !== undefined) assert.equal(read && parseAddress(read).host, userAddr)
    },
  },
]
