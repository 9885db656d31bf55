/** A transport's server in this process, without a PT: its streams, its sessions, its limits, its end. */
import { createServer } from 'node:net'
import { Duplex, duplexPair } from 'node:stream'
import { readExactly } from 'postern/io'
import { expect, onTestFinished, test } from 'vitest'
import { rotByN } from '../../examples/rot-by-n.ts'
import { listen } from '../../src/io/tcp/listen.ts'
import { Args } from '../../src/ipc/index.ts'
import { createConnections } from '../../src/sessions/connections.ts'
import { Ports } from '../../src/sessions/ports.ts'
import type { ServeOptions, TransportServer } from '../../src/sessions/serve-transport.ts'
import { serveTransport } from '../../src/sessions/serve-transport.ts'
import type { Incoming } from '../../src/sessions/service.ts'
import type { Server, ServerOptions, Transport } from '../../src/transport.ts'
import { open, plain, readAll } from '../pt/support.ts'
import { tempDir } from '../support.ts'

interface Served extends TransportServer {
  readonly port: number
  /** The streams that came, in order. */
  readonly next: () => Promise<Incoming>
  readonly said: string[]
}

async function serve(transport: Transport, options: Partial<ServeOptions> = {}): Promise<Served> {
  const said: string[] = []
  const report = { log: (severity: string, text: string) => void said.push(`${severity}: ${text}`), status: () => {} }
  const came: Incoming[] = []
  let wake = (): void => undefined
  const server = await serveTransport({
    transport,
    bindAddress: { host: '127.0.0.1', port: 0 },
    stateDir: tempDir(),
    report,
    ports: new Ports(createConnections(), report),
    onConnection(incoming) {
      came.push(incoming)
      wake()
    },
    ...options,
  })
  onTestFinished(() => server.close())
  const next = async (): Promise<Incoming> => {
    while (came.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return came.shift()!
  }
  return { ...server, port: server.boundAddress.port, next, said }
}

/** A transport whose sessions are delivered by the test. */
function delivering(parts: Partial<Server> = {}): { transport: Transport; deliver: () => ServerOptions['deliver'] } {
  let deliver!: ServerOptions['deliver']
  const server = (options: ServerOptions): Server => {
    deliver = options.deliver
    return { accept: () => Promise.resolve(undefined), ...parts }
  }
  return { transport: { ...plain(), server }, deliver: () => deliver }
}

async function closed(stream: Duplex): Promise<unknown> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  return stream.errored
}

test('streams come with their connection and the address of their client, and are counted', async () => {
  const server = await serve(rotByN, { args: Args.from({ N: '1' }) })
  expect([...server.args]).toEqual([['N', '1']])
  expect(server.address).toEqual(server.boundAddress)
  const conn = await open(server.port)
  conn.write('IFMMP')
  const { stream, conn: accepted, userAddr } = await server.next()
  expect(String(await readExactly(stream, 5))).toBe('HELLO')
  expect(userAddr).toBe(`127.0.0.1:${conn.localPort}`)
  expect(accepted).not.toBe(stream)
  expect(server.connections.count).toMatchObject({ open: 1, handshakes: 0, established: 1 })
})

test('carryTo() takes a stream to a service, and closes its connection when both have ended', async () => {
  const server = await serve(plain(), {
    async onConnection(incoming) {
      const [near, far] = duplexPair()
      far.on('data', (bytes: Buffer) => far.end(`got ${String(bytes)}`))
      void incoming.carryTo(near, false)
    },
  })
  const conn = await open(server.port)
  conn.write('word')
  expect(await readAll(conn)).toBe('got word')
  await server.drain(10_000)
  expect(server.connections.count.open).toBe(0)
})

test('its port is closed at once, and connections go on until they are drained', async () => {
  const server = await serve(plain())
  const conn = await open(server.port)
  const { stream } = await server.next()
  server.closeListener()
  const again = createServer()
  onTestFinished(() => void again.close())
  expect((await listen(again, '127.0.0.1', server.port)).port).toBe(server.port)
  conn.write('word')
  expect(String(await readExactly(stream, 4))).toBe('word')
  const ended = readAll(conn)
  await server.drain(50)
  expect(await ended).toBe('')
})

test('a failed launch closes the server that the transport has made', async () => {
  const taken = createServer()
  onTestFinished(() => void taken.close())
  const { port } = await listen(taken, '127.0.0.1', 0)
  let closes = 0
  const { transport } = delivering({ close: () => void closes++ })
  await expect(serve(transport, { bindAddress: { host: '127.0.0.1', port } })).rejects.toThrow('EADDRINUSE')
  expect(closes).toBe(1)
})

test('arguments are asked about before the server is launched', async () => {
  let launches = 0
  const transport: Transport = {
    ...plain({ server: () => ({ accept: () => Promise.reject(new Error(`launch ${++launches}`)) }) }),
    checkArguments: (args, role) =>
      role === 'server' && args.has('key') ? [{ severity: 'error', key: 'key', message: 'it is too short' }] : [],
  }
  const refused = serve(transport, { args: Args.from({ key: 'secret' }) })
  await expect(refused).rejects.toMatchObject({
    code: 'PT_ARGS',
    stage: 'argument',
    message: "malformed argument 'key': it is too short",
  })
  expect(launches).toBe(0)
  await serve(transport)
})

test('a transport that throws loses that connection, and the next one is served', async () => {
  let calls = 0
  const server = await serve(
    plain({
      accept: ({ conn }) => {
        if (++calls === 1) throw new Error('a mistake')
        return Promise.resolve(conn)
      },
    }),
  )
  expect(await readAll(await open(server.port))).toBe('')
  expect(server.said).toEqual(['debug: connection ended: a mistake'])
  await open(server.port)
  expect((await server.next()).stream.destroyed).toBe(false)
  expect(server.connections.count).toMatchObject({ open: 1, failed: 1, established: 1 })
})

test('a stream that fails with an error in the middle costs nothing but itself', async () => {
  const { transport, deliver } = delivering()
  const server = await serve(transport, {
    onConnection: async (incoming) => {
      const [near, far] = duplexPair()
      far.pipe(far)
      incoming.carryTo(near, false).catch(() => undefined)
    },
  })
  const [[broken, brokenEnd], [sound, soundEnd]] = [duplexPair(), duplexPair()]
  deliver()(broken)
  deliver()(sound)
  brokenEnd.on('error', () => undefined)
  broken.destroy(new Error('a mistake in a session'))
  soundEnd.write('word')
  expect(String(await readExactly(soundEnd, 4))).toBe('word')
  await expect.poll(() => server.connections.count.open).toBe(1)
})

test.each<[said: string | undefined, userAddr: string | undefined]>([
  ['203.0.113.7:4711', '203.0.113.7:4711'],
  ['203.0.113.7', '203.0.113.7:1'],
  ['2001:db8::7', '[2001:db8::7]:1'],
  ['[2001:db8::7]:4711', '[2001:db8::7]:4711'],
  ['::ffff:203.0.113.7', '203.0.113.7:1'],
  ['203.0.113.7:0', '203.0.113.7:1'],
  ['unknown', undefined],
  ['203.0.113.7\r\nUSERADDR', undefined],
  ['cdn.example:443', undefined],
  ['', undefined],
  [undefined, undefined],
])('a server that says of its client %j is understood as %j, whatever its peer is', async (said, userAddr) => {
  const { transport, deliver } = delivering({ accept: ({ conn }) => Promise.resolve({ stream: conn, userAddr: said }) })
  const server = await serve(transport)
  await open(server.port)
  expect((await server.next()).userAddr).toBe(userAddr)
  deliver()(duplexPair()[0], { userAddr: said })
  expect((await server.next()).userAddr).toBe(userAddr)
})

test('a connection that belongs to a session counts until it closes, and gives no stream', async () => {
  const accept: Server['accept'] = async ({ conn }) => void conn.on('end', () => conn.destroy()).resume()
  const { transport, deliver } = delivering({ accept })
  const server = await serve(transport)
  const conn = await open(server.port)
  await expect.poll(() => server.connections.count).toMatchObject({ open: 1, established: 1, handshakes: 0 })
  const [session] = duplexPair()
  deliver()(session)
  const incoming = await server.next()
  expect(incoming.stream).toBe(session)
  expect(incoming.conn).toBe(session)
  conn.destroy()
  await expect.poll(() => server.connections.count.open).toBe(1)
  session.destroy()
  await server.drain(10_000)
})

test('sessions beyond the limit are destroyed, and a line in the log says so once', async () => {
  const { transport, deliver } = delivering()
  const server = await serve(transport, { maxSessions: 2 })
  const streams = Array.from({ length: 4 }, () => duplexPair()[0])
  for (const stream of streams) deliver()(stream)
  expect(await closed(streams[2]!)).toMatchObject({ code: 'PT_LIMIT' })
  expect(await closed(streams[3]!)).toMatchObject({ code: 'PT_LIMIT' })
  expect(streams.map((stream) => stream.destroyed)).toEqual([false, false, true, true])
  expect(server.said).toEqual(['warning: sessions are refused, as 2 connections are open'])
  streams[0]!.destroy()
  await expect.poll(() => server.connections.count.open).toBe(1)
  const [later] = duplexPair()
  deliver()(later)
  expect(later.destroyed).toBe(false)
})

test('a session that carries nothing is ended after its time, and one that carries something is not', async () => {
  const { transport, deliver } = delivering()
  const echo = async (incoming: Incoming): Promise<void> => {
    const [near, far] = duplexPair()
    far.pipe(far)
    incoming.carryTo(near, false).catch(() => undefined)
  }
  await serve(transport, { sessionIdleTimeout: 200, onConnection: echo })
  const [[idle], [busy, busyEnd]] = [duplexPair(), duplexPair()]
  deliver()(idle)
  deliver()(busy)
  const timer = setInterval(() => busyEnd.write('still here'), 20)
  onTestFinished(() => clearInterval(timer))
  busyEnd.resume()
  expect(await closed(idle)).toMatchObject({ code: 'PT_TIMEOUT' })
  expect(busy.destroyed).toBe(false)
})

test('a session is read only as fast as the service takes it', async () => {
  const { transport, deliver } = delivering()
  const [near] = duplexPair()
  await serve(transport, { onConnection: (incoming) => void incoming.carryTo(near, false).catch(() => undefined) })
  let given = 0
  const endless = new Duplex({
    read() {
      given += 16_384
      this.push(Buffer.alloc(16_384))
    },
    write: (_chunk, _encoding, done) => done(),
  })
  deliver()(endless)
  let before = -1
  await expect
    .poll(() => {
      const isStill = before === given
      before = given
      return isStill
    })
    .toBe(true)
  expect(given).toBeLessThan(1_048_576)
  endless.destroy()
})

test('after close() sessions are refused, and the transport has been asked to end what it keeps', async () => {
  let closes = 0
  const { transport, deliver } = delivering({ close: () => void closes++ })
  const server = await serve(transport)
  const [session, late] = [duplexPair()[0], duplexPair()[0]]
  deliver()(session)
  await server.close()
  expect([closes, session.destroyed]).toEqual([1, true])
  deliver()(late)
  expect(await closed(late)).toMatchObject({ code: 'PT_STOPPED' })
})

test.each([
  ['never settles', () => new Promise<void>(() => undefined), /has not ended within 1 s and is not waited for$/],
  ['rejects', () => Promise.reject(new Error('the disk is full')), /close\(\) has failed: the disk is full$/],
  [
    'throws',
    () => {
      throw new Error('a mistake')
    },
    /close\(\) has failed: a mistake$/,
  ],
])('a close() that %s is a warning, and the server closes all the same', async (_what, close, warning) => {
  const { transport } = delivering({ close })
  const server = await serve(transport)
  await server.close()
  expect(server.said).toEqual([expect.stringMatching(warning)])
})

test('what is no stream is an error of the transport that delivers it', async () => {
  const { transport, deliver } = delivering()
  await serve(transport)
  expect(() => deliver()(undefined as never)).toThrow(TypeError)
})
