/** Cases: a transport's name, its launch, and what a client needs to know. */
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { requireTransportName } from '../ipc/index.ts'
import type { Cases } from './case.ts'
import { emptyLab, openLab } from './lab.ts'
import { exchange, within } from './wait.ts'

export const launchCases: Cases = (transport, settings) => [
  {
    name: 'its name is a C identifier',
    run: async () => void requireTransportName(transport.name),
  },
  {
    name: 'a client with the ARGS of the SMETHOD line reaches the server',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const { near, far } = await lab.open()
      await within(settings.patience, '1 byte went each way', exchange(near, far, 1, false))
    },
  },
  {
    name: 'a server that starts again in its state directory takes the clients of the one before',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const again = await lab.launchServer()
      assert.deepEqual(
        [...lab.smethodOf(again)],
        [...lab.smethodArgs],
        'the ARGS have changed, and bridge lines with them',
      )
    },
  },
  {
    name: 'it writes nothing outside its state directory, and its files there begin with its name',
    run: async () => {
      const before = await readdir('.')
      await using lab = await openLab(transport, settings)
      const { near, far } = await lab.open()
      await within(settings.patience, '1 byte went each way', exchange(near, far, 1, false))
      assert.deepEqual(await readdir('.'), before, 'something was written to the working directory')
      assert.deepEqual(await readdir(lab.folder), ['state'], 'something was written beside the state directory')
      for (const file of await readdir(lab.stateDir)) {
        assert.ok(
          file.startsWith(transport.name),
          `${file} in the state directory does not begin with ${transport.name}`,
        )
      }
    },
  },
  ...settings.badServerOptions.map((args) => ({
    name: `its server does not launch with the options ${JSON.stringify(args)}`,
    run: async () => {
      await using lab = await emptyLab(transport, { ...settings, serverOptions: args })
      await assert.rejects(lab.launchServer(), Error, 'server() has to throw')
    },
  })),
  ...settings.badClientArgs.map((args) => ({
    name: `dial() rejects the arguments ${JSON.stringify(args)} before it connects`,
    run: async () => {
      await using lab = await openLab(transport, settings)
      await assert.rejects(within(settings.patience, 'dial() has rejected', lab.dial({ args })), Error)
      assert.equal(lab.clientWires.length, 0, 'connect() was called')
    },
  })),
]
