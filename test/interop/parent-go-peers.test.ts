/** obfs4proxy and lyrebird (Go) as children of our parents: as server and as client, for each transport that has both. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { formatAddress } from 'postern/ipc'
import type { ClientPt, OnConnection, ServerPt } from 'postern/parent'
import { launchClient, launchServer } from 'postern/parent'
import type { TestContext } from 'vitest'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Events } from '../parent/fixtures.ts'
import { CLOSED_PORT, peer, tempDir } from '../support.ts'
import type { GoPeer } from './go-peers.ts'
import { goPeers } from './go-peers.ts'
import { exchange } from './traffic.ts'

type Connection = Parameters<OnConnection>[0]

interface Pair {
  readonly transport: string
  readonly server: ServerPt
  readonly client: ClientPt
  readonly serverEvents: Events
  readonly clientEvents: Events
  /** The next connection that the server hands over. */
  next(): Promise<Connection>
}

async function launchPair(context: TestContext, program: GoPeer, transport: string): Promise<Pair> {
  const exec = peer(program, context)
  const [serverEvents, clientEvents] = [new Events(), new Events()]
  const waiting: ((connection: Connection) => void)[] = []
  const server = await launchServer({
    exec,
    transports: [{ name: transport, bindAddress: '127.0.0.1:0' }],
    stateDir: tempDir(),
    restart: { initialDelay: 10 },
    onEvent: serverEvents.onEvent,
    onConnection: (connection) => waiting.shift()?.(connection),
  })
  onTestFinished(async () => void (await server.stop()))
  const client = await launchClient({
    exec,
    transports: [transport],
    stateDir: tempDir(),
    restart: { initialDelay: 10 },
    onEvent: clientEvents.onEvent,
  })
  onTestFinished(async () => void (await client.stop()))
  const next = (): Promise<Connection> => new Promise((resolve) => waiting.push(resolve))
  return { transport, server, client, serverEvents, clientEvents, next }
}

async function dial({ transport, server, client }: Pair): Promise<Duplex> {
  const { address, args } = server.methods.get(transport)!
  return await client.connect(transport, formatAddress(address), { args })
}

async function dialBoth(pair: Pair): Promise<{ conn: Duplex; served: Connection }> {
  const [served, conn] = await Promise.all([pair.next(), dial(pair)])
  return { conn, served }
}

describe.each(goPeers)('%s at both ends', (program) => {
  test.for(['obfs4', 'obfs3', 'obfs2'])(
    'FLOW-1, EXT-3: %s carries 32 MiB each way at once, equal by SHA-256',
    async (transport, context) => {
      const pair = await launchPair(context, program, transport)
      const { conn, served } = await dialBoth(pair)
      expect(served).toMatchObject({ transport, userAddr: { host: '127.0.0.1' } })
      const { sent, received } = await exchange(conn, served.conn, 32)
      expect(received).toEqual(sent)
      expect(await pair.client.stop()).toEqual({ code: 0, signal: null, step: 'stdin' })
      expect(await pair.server.stop()).toEqual({ code: 0, signal: null, step: 'stdin' })
    },
  )
})

// lyrebird passes on no end as long as the other side is open (docs/deviations.md).
test('with obfs4proxy the end of one direction ends both, and neither of our streams breaks', async (context) => {
  const pair = await launchPair(context, 'obfs4proxy', 'obfs4')
  for (const ender of ['client', 'server']) {
    const { conn, served } = await dialBoth(pair)
    const [mine, other] = ender === 'client' ? [conn, served.conn] : [served.conn, conn]
    const ends = Promise.all([once(mine.resume(), 'end'), once(other.resume(), 'end')])
    mine.end('last words')
    await ends
    other.end()
    for (const stream of [mine, other]) if (!stream.closed) await once(stream, 'close')
  }
})

describe.each(goPeers)('what %s refuses', (program) => {
  test('ARGS-4: bad or missing arguments: PT_SOCKS_REFUSED', async (context) => {
    const pair = await launchPair(context, program, 'obfs4')
    const target = formatAddress(pair.server.methods.get('obfs4')!.address)
    for (const args of [undefined, { cert: 'x', 'iat-mode': '0' }, { 'iat-mode': '0' }]) {
      await expect(pair.client.connect('obfs4', target, { ...(args && { args }) })).rejects.toMatchObject({
        code: 'PT_SOCKS_REFUSED',
      })
    }
  })

  test('a bridge that is not there: PT_SOCKS_REFUSED', async (context) => {
    const pair = await launchPair(context, program, 'obfs3')
    await expect(pair.client.connect('obfs3', `127.0.0.1:${CLOSED_PORT}`)).rejects.toMatchObject({
      code: 'PT_SOCKS_REFUSED',
    })
  })

  test('names that it does not know, with one that it does', async (context) => {
    const exec = peer(program, context)
    await using pt = await launchClient({ exec, transports: ['obfs9', 'obfs4'], stateDir: tempDir() })
    expect([...pt.methods.keys()]).toEqual(['obfs4'])
    expect([...pt.failures]).toEqual([['obfs9', 'no such transport is supported']])
  })

  test('a bind address that is taken: PT_LAUNCH with its reason', async (context) => {
    const { server } = await launchPair(context, program, 'obfs4')
    const transports = [{ name: 'obfs4', bindAddress: server.methods.get('obfs4')!.address }]
    const second = launchServer({
      exec: peer(program, context),
      transports,
      stateDir: tempDir(),
      onConnection: () => {},
    })
    await expect(second).rejects.toMatchObject({ code: 'PT_LAUNCH' })
    await expect(second).rejects.toThrow(/address already in use/)
  })
})

test.for(goPeers)(
  'PROXY-2: %s confirms an upstream proxy, and does not go around one that is down',
  async (program, context) => {
    const events = new Events()
    const { server } = await launchPair(context, program, 'obfs3')
    await using pt = await launchClient({
      exec: peer(program, context),
      transports: ['obfs3'],
      stateDir: tempDir(),
      proxy: `socks5://127.0.0.1:${CLOSED_PORT}`,
      onEvent: events.onEvent,
    })
    expect(events.of('line').map(({ message }) => message?.type)).toContain('proxyDone')
    const target = formatAddress(server.methods.get('obfs3')!.address)
    await expect(pt.connect('obfs3', target)).rejects.toMatchObject({ code: 'PT_SOCKS_REFUSED' })
  },
)

test.for(goPeers)(
  'client and server of %s, killed with SIGKILL, are started again, on the same port, and a connect works',
  async (program, context) => {
    const pair = await launchPair(context, program, 'obfs4')
    const { address } = pair.server.methods.get('obfs4')!
    const ready = pair.serverEvents.next('ready')
    process.kill(pair.serverEvents.pid, 'SIGKILL')
    await ready
    process.kill(pair.clientEvents.pid, 'SIGKILL')
    const { conn, served } = await dialBoth(pair)
    const { sent, received } = await exchange(conn, served.conn, 1)
    expect(received).toEqual(sent)
    expect(pair.server.methods.get('obfs4')?.address).toEqual(address)
    expect(pair.clientEvents.of('exit')).toMatchObject([{ signal: 'SIGKILL' }])
  },
)
