import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { ClientConfig } from '../../src/pt/client.ts'
import { startClient } from '../../src/pt/client.ts'
import { createConnections } from '../../src/sessions/connections.ts'
import { Ports } from '../../src/sessions/ports.ts'
import { Rehearsals } from '../../src/sessions/rehearsal.ts'
import type { ServerConfig } from '../../src/pt/server.ts'
import { startServer } from '../../src/pt/server.ts'
import type { ClientSession, Rehearsal, ServerSession, Transport } from '../../src/transport.ts'
import { obfs2 } from '../../src/transports/obfs2/index.ts'
import { obfs3 } from '../../src/transports/obfs3/index.ts'
import { obfs4 } from '../../src/transports/obfs4/index.ts'
import { scramblesuit } from '../../src/transports/scramblesuit/index.ts'
import { webtunnel } from '../../src/transports/webtunnel/index.ts'
import { makeConnect } from '../../src/upstream/index.ts'
import { Args } from '../../src/ipc/index.ts'
import { tempDir } from '../support.ts'
import { closing, open, plain, portOf, recorder, socksRequest } from './support.ts'
import { clientOptions } from '../launch-options.ts'

interface Rehearsed {
  readonly transport: Transport
  readonly dialled: Promise<void>[]
  readonly accepted: Promise<void>[]
}

/** `transport`, and how each handshake of its rehearsals has gone. */
function watched(transport: Transport): Rehearsed {
  const dialled: Promise<void>[] = []
  const accepted: Promise<void>[] = []
  const note = <Stream>(list: Promise<void>[], handshake: Promise<Stream>): Promise<Stream> => {
    list.push(handshake.then(() => undefined))
    return handshake
  }
  const rehearsal = (role: 'client' | 'server'): Rehearsal => {
    const { client, server, args } = transport.rehearsal!(role)
    return {
      client: { ...client, dial: (session) => note(dialled, client.dial(session)) },
      server: { ...server, accept: (session) => note(accepted, server.accept(session)) },
      ...(args === undefined ? {} : { args }),
    }
  }
  return { transport: { ...transport, rehearsal }, dialled, accepted }
}

async function client(transport: Transport, options: Partial<ClientConfig> = {}) {
  const { reporter, lines } = recorder({ logLevel: 'debug' })
  const [connections, rehearsals] = [createConnections(), new Rehearsals()]
  const ports = new Ports(connections, reporter)
  const connect = makeConnect({})
  const config = { entries: [transport], stateDir: tempDir(), reporter, ports, rehearsals, connect, ...options }
  const [listener] = closing(await startClient(config))
  return { lines, connections, rehearsals, port: portOf(listener) }
}

async function server(transport: Transport, options: Partial<ServerConfig> = {}) {
  const { reporter, lines } = recorder({ logLevel: 'debug' })
  const [connections, rehearsals] = [createConnections(), new Rehearsals()]
  const ports = new Ports(connections, reporter)
  const entries = [
    { name: transport.name, entry: transport, options: Args.none, bindAddress: { host: '127.0.0.1', port: 0 } },
  ]
  const destination = { type: 'orPort', address: { host: '127.0.0.1', port: 1 } } as const
  const config = { entries, stateDir: tempDir(), reporter, ports, rehearsals, destination, ...options }
  const [listener] = closing(await startServer({ connect: makeConnect({}), ...config }))
  return { lines, connections, rehearsals, port: portOf(listener) }
}

/** webtunnel, whose server does not start without the url of its front. */
const webtunnelOfUrl: Transport = {
  name: 'webtunnel',
  client: (options) => webtunnel.client(options),
  server: (options) => webtunnel.server({ ...options, args: Args.from({ url: 'https://bridge.example/secret' }) }),
  rehearsal: (role) => webtunnel.rehearsal!(role),
}

describe.each([obfs4, obfs3, obfs2, scramblesuit, webtunnelOfUrl])('a PT with $name', (transport) => {
  test.each([
    ['client', client],
    ['server', server],
  ] as const)(
    'as a %s shakes hands with itself before its first connection, and says nothing of it',
    async (_role, start) => {
      const { transport: one, dialled, accepted } = watched(transport)
      const { lines, connections, rehearsals } = await start(one)
      const said = [...lines]
      await rehearsals.run()
      expect([dialled.length, accepted.length]).toEqual([2, 2])
      await Promise.all([...dialled, ...accepted])
      expect(lines).toEqual(said)
      expect(connections.count).toMatchObject({ admitted: 0, open: 0 })
    },
  )
})

test('everything is gone when a rehearsal is over', async () => {
  const { rehearsals } = await client(obfs4)
  await rehearsals.run()
  // The listener of the PT is left.
  const open = (): string[] => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP'))
  await vi.waitFor(() => expect(open()).toEqual(['TCPServerWrap']))
})

/** A rehearsal that waits in its handshake until its signal aborts. */
function waiting(): { transport: Transport; waits: Promise<void>; reason: Promise<unknown> } {
  let began!: () => void
  let ended!: (reason: unknown) => void
  const waits = new Promise<void>((resolve) => (began = resolve))
  const reason = new Promise<unknown>((resolve) => (ended = resolve))
  const wait = ({ signal }: ClientSession | ServerSession): Promise<never> => {
    began()
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        ended(signal.reason)
        reject(signal.reason as Error)
      })
    })
  }
  const part = { client: { dial: wait }, server: { accept: wait } }
  return {
    transport: { name: 'slow', client: () => obfs2.client(never), server: () => part.server, rehearsal: () => part },
    waits,
    reason,
  }
}

const never = clientOptions({ stateDir: '/nonexistent' })

test('the first connection ends a rehearsal, and is served', async () => {
  const bridge = createServer((conn) => void conn.on('error', () => undefined)).listen(0, '127.0.0.1')
  await once(bridge, 'listening')
  onTestFinished(() => void bridge.close())
  const { transport, waits, reason } = waiting()
  const { rehearsals, port, lines } = await client(transport)
  const over = rehearsals.run()
  await waits
  const arrived = once(bridge, 'connection')
  const conn = await open(port)
  conn.write(socksRequest(`127.0.0.1:${portOf(bridge)}`, 'k=v'))
  await Promise.all([arrived, over])
  expect(await reason).toBeInstanceOf(Error)
  expect(lines).toEqual([expect.stringMatching(/^CMETHOD slow /), 'CMETHODS DONE'])
})

test('after the first connection there is none', async () => {
  const { transport, dialled } = watched(obfs3)
  const { rehearsals, port } = await server(transport)
  const conn = await open(port)
  await once(conn, 'data')
  await rehearsals.run()
  expect(dialled).toEqual([])
})

test.each([
  ['has no rehearsal', plain()],
  ['fails at it', { ...plain(), rehearsal: () => expect.fail('no rehearsal today') }],
])('a transport that %s is none the worse for it', async (_what, transport) => {
  const { rehearsals, lines } = await client(transport)
  await rehearsals.run()
  expect(lines.at(-1)).toBe('CMETHODS DONE')
})
