import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { readExactly } from 'postern/io'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rotByN } from '../../examples/rot-by-n.ts'
import { serveExtOrPort } from '../../src/extor/index.ts'
import type { Address, Destination } from '../../src/ipc/index.ts'
import { Args, formatAddress } from '../../src/ipc/index.ts'
import type { Connections } from '../../src/sessions/connections.ts'
import { createConnections } from '../../src/sessions/connections.ts'
import type { ConnectionLimits } from '../../src/sessions/ports.ts'
import { Ports } from '../../src/sessions/ports.ts'
import type { ServerConfig, ServerEntry } from '../../src/pt/server.ts'
import { startServer } from '../../src/pt/server.ts'
import { makeConnect } from '../../src/upstream/index.ts'
import { echoed, tempDir, timePasses } from '../support.ts'
import { application, closing, echo, open, plain, portOf, readAll, recorder } from './support.ts'
import { shows } from '../shows.ts'

const loopback: Address = { host: '127.0.0.1', port: 0 }

function entry(transport: ServerEntry['entry'], more: Partial<ServerEntry> = {}): ServerEntry {
  return { name: transport.name, entry: transport, options: Args.none, bindAddress: loopback, ...more }
}

interface Started {
  readonly listeners: Server[]
  readonly port: number
  readonly lines: string[]
  readonly connections: Connections
}

async function start(
  entries: readonly ServerEntry[],
  destination: Destination | string = '127.0.0.1:1',
  options: Partial<ServerConfig> = {},
  limits: ConnectionLimits = {},
): Promise<Started> {
  const { reporter, lines } = recorder({ logLevel: 'debug' })
  const connections = createConnections()
  const ports = new Ports(connections, reporter, limits)
  const listeners = closing(
    await startServer({
      entries,
      stateDir: '/nonexistent',
      destination: typeof destination === 'string' ? orPort(destination) : destination,
      connect: makeConnect({}),
      reporter,
      ports,
      ...options,
    }),
  )
  return { listeners, port: listeners.length === 0 ? 0 : portOf(listeners[0]), lines, connections }
}

function orPort(address: string): Destination {
  const [host = '', port = ''] = address.split(':')
  return { type: 'orPort', address: { host, port: Number(port) } }
}

describe('launching', () => {
  test('SM-1, SM-3, SM-6: SMETHOD has address and ARGS, and SMETHODS DONE is last', async () => {
    const { lines, listeners } = await start([entry(rotByN, { options: Args.from({ N: '7' }) }), entry(plain())])
    expect(lines).toEqual([
      `SMETHOD rot_by_N 127.0.0.1:${portOf(listeners[0])} ARGS:N=7`,
      `SMETHOD plain 127.0.0.1:${portOf(listeners[1])}`,
      'SMETHODS DONE',
    ])
    shows('SM-1', 'SM-3', 'SM-6')
  })

  test('SM-4: equal signs, commas and backslashes in ARGS are escaped', async () => {
    const server = plain({ server: () => ({ args: { 'a=b': 'c,d\\' }, accept: () => Promise.reject(new Error()) }) })
    expect((await start([entry(server)])).lines[0]).toMatch(/ ARGS:a\\=b=c\\,d\\\\$/)
    shows('SM-4')
  })

  test('SM-5: ARGS that no line can carry are an SMETHOD-ERROR, and the listener is closed', async () => {
    const server = plain({ server: () => ({ args: { a: 'b c' }, accept: () => Promise.reject(new Error()) }) })
    const { lines, listeners } = await start([entry(server)])
    expect(lines).toEqual([
      'SMETHOD-ERROR plain SMETHOD ARGS can hold printable ASCII without spaces only',
      'SMETHODS DONE',
    ])
    expect(listeners).toEqual([])
  })

  test('SM-2, SM-5: an address that is taken is an SMETHOD-ERROR, never another port; others are served', async () => {
    const { port } = await echo()
    const taken = { bindAddress: { host: '127.0.0.1', port } }
    const { lines, listeners } = await start([entry(rotByN, taken), entry(plain())])
    expect(lines).toEqual([
      `SMETHOD-ERROR rot_by_N cannot listen on port ${port} of the bind address: EADDRINUSE`,
      `SMETHOD plain 127.0.0.1:${portOf(listeners[0])}`,
      'SMETHODS DONE',
    ])
    shows('SM-2', 'SM-5')
  })

  test('SM-2: an address that this host does not have is an SMETHOD-ERROR', async () => {
    const { lines } = await start([entry(plain(), { bindAddress: { host: '192.0.2.1', port: 0 } })])
    expect(lines[0]).toBe('SMETHOD-ERROR plain cannot listen on port 0 of the bind address: EADDRNOTAVAIL')
  })

  test('SENV-6, SM-1: an IPv6 address is bound and said in brackets', async () => {
    const { lines, port } = await start([entry(plain(), { bindAddress: { host: '::1', port: 0 } })])
    expect(lines[0]).toBe(`SMETHOD plain [::1]:${port}`)
  })

  test('without a bind address it is every interface, by IPv4 and IPv6, and a port of the system’s choice', async () => {
    const { lines, port } = await start([entry(plain(), { bindAddress: undefined })])
    expect(lines[0]).toBe(`SMETHOD plain 0.0.0.0:${port}`)
  })

  test('SM-5, ANON-4: a transport that fails is an SMETHOD-ERROR, which repeats no option', async () => {
    const options = Args.from({ key: 'banana' })
    const { lines } = await start([
      entry(plain({ server: () => Promise.reject(new Error('bad key banana')) }), { options }),
    ])
    expect(lines).toEqual(['SMETHOD-ERROR plain bad key [scrubbed]', 'SMETHODS DONE'])
  })
})

describe('ORPort', () => {
  test('ARCH-4, SENV-10, FLOW-6: decoded bytes and nothing else reach it, ends included', async () => {
    const { address } = await application((conn) => {
      void readExactly(conn, 5).then((text) => conn.end(`got ${String(text)}`))
    })
    const { port } = await start([entry(rotByN, { options: Args.from({ N: '1' }) })], address)
    const conn = await open(port)
    conn.write('IFMMP')
    expect(await readAll(conn)).toBe('hpu!IFMMP')
    shows('ARCH-4', 'SENV-10', 'FLOW-6')
  })

  test('it is dialed after the handshake and not before', async () => {
    let connections = 0
    const { address } = await application((conn) => {
      connections++
      conn.pipe(conn)
    })
    const transport = plain({
      async accept({ conn, signal }) {
        await readExactly(conn, 4, signal)
        expect(connections).toBe(0)
        return conn
      },
    })
    const { port } = await start([entry(transport)], address)
    const conn = await open(port)
    conn.write('helobody')
    expect(String(await readExactly(conn, 4))).toBe('body')
    expect(connections).toBe(1)
  })

  test('one that refuses ends the client’s connection and warns the operator', async () => {
    const { port, lines } = await start([entry(rotByN)])
    const conn = await open(port)
    expect(await readAll(conn)).toBe('')
    expect(lines).toContain(
      'LOG SEVERITY=warning MESSAGE="rot_by_N: cannot forward to the orPort: the target cannot be reached: ECONNREFUSED"',
    )
  })

  test('a client that resets while it is dialed harms nobody else', async () => {
    const { address } = await echo()
    let dialing!: () => void
    let go!: () => void
    const began = new Promise<void>((resolve) => (dialing = resolve))
    const held = new Promise<void>((resolve) => (go = resolve))
    const connect: ServerConfig['connect'] = async (target, signal) => {
      dialing()
      await held
      return await makeConnect({})(target, signal)
    }
    const { port, connections } = await start([entry(rotByN)], address, { connect })
    const torn = await open(port)
    torn.write('x')
    await began
    torn.resetAndDestroy()
    go()
    await expect.poll(() => connections.count.open).toBe(0)
    const conn = await open(port)
    expect(await echoed(conn, 'alive')).toBe('alive')
  })
})

describe('ExtORPort', () => {
  async function extended(
    bindAddress: Address,
    client: (port: number) => Socket,
  ): Promise<{ transport: string | undefined; userAddr: Address | undefined; local: string }> {
    const cookieFile = join(tempDir(), 'cookie')
    let arrived!: (about: { transport: string | undefined; userAddr: Address | undefined }) => void
    const about = new Promise<{ transport: string | undefined; userAddr: Address | undefined }>(
      (resolve) => (arrived = resolve),
    )
    const served = await serveExtOrPort({
      cookieFile,
      onConnection({ conn, transport, userAddr }) {
        conn.pipe(conn)
        arrived({ transport, userAddr })
      },
    })
    onTestFinished(() => served[Symbol.asyncDispose]())
    const { port } = await start([entry(rotByN, { bindAddress })], {
      type: 'extendedOrPort',
      address: served.address,
      cookieFile,
    })
    const conn = client(port)
    onTestFinished(() => void conn.destroy())
    await once(conn, 'connect')
    const payload = randomBytes(10_000)
    conn.write(payload)
    expect((await readExactly(conn, payload.length)).equals(payload)).toBe(true)
    return { ...(await about), local: formatAddress({ host: conn.localAddress!, port: conn.localPort! }) }
  }

  test('SENV-11: it is told the transport and the client’s address and port', async () => {
    const { transport, userAddr, local } = await extended(loopback, (port) => connectTcp(port, '127.0.0.1'))
    expect(transport).toBe('rot_by_N')
    expect(formatAddress(userAddr!)).toBe(local)
    shows('SENV-11')
  })

  test('SENV-11: an IPv4 client of an IPv6 listener is told as IPv4', async () => {
    const { userAddr } = await extended({ host: '::', port: 0 }, (port) => connectTcp(port, '127.0.0.1'))
    expect(userAddr?.host).toBe('127.0.0.1')
  })

  test('SENV-11: an IPv6 client is told as it is', async () => {
    const { userAddr, local } = await extended({ host: '::1', port: 0 }, (port) => connectTcp(port, '::1'))
    expect(formatAddress(userAddr!)).toBe(local)
  })

  test('SENV-13: a cookie file that cannot be read ends the client’s connection, and no payload is sent', async () => {
    let bytes = 0
    const { address } = await application((conn) => {
      conn.write(Buffer.of(1, 0))
      conn.on('data', (chunk: Buffer) => (bytes += chunk.length))
    })
    const { address: at } = orPort(address)
    const { port, lines, connections } = await start([entry(rotByN)], {
      type: 'extendedOrPort',
      address: at,
      cookieFile: join(tempDir(), 'missing'),
    })
    const conn = await open(port)
    conn.write('payload')
    expect(await readAll(conn)).toBe('')
    expect(bytes).toBe(0)
    expect(connections.count).toMatchObject({ established: 1, unserved: 1 })
    expect(lines.at(-2)).toMatch(/^LOG SEVERITY=warning MESSAGE="rot_by_N: cannot forward to the extendedOrPort: /)
  })
})

describe('a handshake', () => {
  test('that fails sends nothing, closes the connection and is counted', async () => {
    const { port, lines, connections } = await start([
      entry(plain({ accept: () => Promise.reject(new Error('a probe')) })),
    ])
    const conn = await open(port)
    expect(await readAll(conn)).toBe('')
    await expect.poll(() => connections.count).toMatchObject({ open: 0, failed: 1, established: 0 })
    expect(lines.at(-1)).toBe('LOG SEVERITY=debug MESSAGE="plain: connection ended: a probe"')
  })

  test('is told when its client has gone, and that the PT shuts down', async () => {
    const reasons: unknown[] = []
    const accept = plain({
      accept: ({ conn, signal }) =>
        new Promise((_resolve, reject) => {
          conn.resume()
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason)
            reject(signal.reason as Error)
          })
        }),
    })
    const { port, connections } = await start([entry(accept)])
    const gone = await open(port)
    await expect.poll(() => connections.count.open).toBe(1)
    gone.resetAndDestroy()
    await expect.poll(() => connections.count.open).toBe(0)
    await open(port)
    await expect.poll(() => connections.count.admitted).toBe(2)
    await connections.drain(10)
    expect(reasons.length).toBe(2)
    expect(reasons).toEqual([
      expect.objectContaining({ code: 'PT_CLOSED' }),
      expect.objectContaining({ code: 'PT_CLOSED' }),
    ])
  })

  test('has a signal that lives until the connection has ended, through hang-ups and the shutdown', async () => {
    const { address } = await echo()
    const signals: AbortSignal[] = []
    const accept = plain({
      accept: ({ conn, signal }) => {
        signals.push(signal)
        return Promise.resolve(conn)
      },
    })
    const { port, connections } = await start([entry(accept)], address, { acceptTimeout: 200, destinationTimeout: 300 })
    const conns = [await open(port), await open(port)] as const
    for (const conn of conns) {
      conn.write('x')
      expect(String(await readExactly(conn, 1))).toBe('x')
    }
    await timePasses(400)
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false])
    conns[0].destroy()
    await expect.poll(() => signals.map(({ aborted }) => aborted)).toEqual([true, false])
    await connections.drain(10)
    expect(signals[1]!.reason).toMatchObject({ code: 'PT_CLOSED', message: 'the connection has ended' })
  })

  test('that never ends is ended by the backstop', async () => {
    const { port, lines } = await start([entry(plain({ accept: () => new Promise(() => undefined) }))], undefined, {
      acceptTimeout: 50,
    })
    const conn = await open(port)
    expect(await readAll(conn)).toBe('')
    expect(lines.at(-1)).toBe(
      'LOG SEVERITY=debug MESSAGE="plain: connection ended: the handshake took longer than 0.05 s"',
    )
  })

  test('whose stream breaks before the ORPort is there ends its connection and no other', async () => {
    const { address } = await echo()
    const transport = plain({
      accept({ conn }) {
        setImmediate(() => conn.destroy(new Error('torn')))
        return Promise.resolve(conn)
      },
    })
    const { port, connections } = await start([entry(transport)], address)
    expect(await readAll(await open(port))).toBe('')
    await expect.poll(() => connections.count.open).toBe(0)
  })
})
