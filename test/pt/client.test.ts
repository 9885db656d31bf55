import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { framed, readExactly } from 'postern/io'
import { describe, expect, test, vi } from 'vitest'
import { rotByN } from '../../examples/rot-by-n.ts'
import { PtError } from '../../src/error.ts'
import type { ClientConfig } from '../../src/pt/client.ts'
import { startClient } from '../../src/pt/client.ts'
import type { Connections } from '../../src/sessions/connections.ts'
import { createConnections } from '../../src/sessions/connections.ts'
import type { ConnectionLimits } from '../../src/sessions/ports.ts'
import { Ports } from '../../src/sessions/ports.ts'
import type { TransportEntry } from '../../src/pt/registry.ts'
import type { Client, ClientSession } from '../../src/transport.ts'
import { makeConnect } from '../../src/upstream/index.ts'
import { settle } from '../io/streams.ts'
import { shows } from '../shows.ts'
import { timePasses } from '../support.ts'
import {
  application,
  closing,
  echo,
  open,
  plain,
  portOf,
  readAll,
  recorder,
  socks,
  socksRequest,
  withoutPort,
} from './support.ts'

interface Started {
  readonly listeners: Server[]
  readonly port: number
  readonly lines: string[]
  readonly connections: Connections
}

async function start(
  entries: readonly TransportEntry[],
  options: Partial<ClientConfig> = {},
  limits: ConnectionLimits = {},
): Promise<Started> {
  const { reporter, lines } = recorder({ logLevel: 'debug' })
  const connections = createConnections()
  const ports = new Ports(connections, reporter, limits)
  const config = { entries, stateDir: '/nonexistent', connect: makeConnect({}), reporter, ports, ...options }
  const listeners = closing(await startClient(config))
  return { listeners, port: listeners.length === 0 ? 0 : portOf(listeners[0]), lines, connections }
}

describe('launching', () => {
  test('CM-1, CM-3: each listener accepts on loopback, and CMETHODS DONE is last', async () => {
    const { lines, listeners } = await start([rotByN, plain()])
    expect(lines).toEqual([
      `CMETHOD rot_by_N socks5 127.0.0.1:${portOf(listeners[0])}`,
      `CMETHOD plain socks5 127.0.0.1:${portOf(listeners[1])}`,
      'CMETHODS DONE',
    ])
    shows('CM-1', 'CM-3')
    for (const listener of listeners) await open(portOf(listener))
  })

  test('CM-4: nothing to launch is CMETHODS DONE at once', async () => {
    expect((await start([])).lines).toEqual(['CMETHODS DONE'])
  })

  test('CM-1: an option says socks4 in CMETHOD', async () => {
    const { lines } = await start([plain()], { socksVersion: 4 })
    expect(lines[0]).toMatch(/^CMETHOD plain socks4 127\.0\.0\.1:\d+$/)
  })

  test('CM-2, CM-3: a transport that cannot be launched is a CMETHOD-ERROR in ASCII, and the others are served', async () => {
    const failing = (name: string, fail: () => never): TransportEntry => plain({ name, client: fail })
    const { lines, port } = await start(
      [
        failing('throws', () => {
          throw new Error('no rocks\navailable: café')
        }),
        plain({ name: 'rejects', client: () => Promise.reject(new Error('no cows at 203.0.113.4:5')) }),
        failing('odd', () => {
          // oxlint-disable-next-line typescript/only-throw-error -- as a transport in JavaScript may
          throw undefined
        }),
        { name: 'lazy', load: () => Promise.reject(new Error('no such module')) },
        plain({ name: 'stuck', client: () => new Promise(() => undefined) }),
        plain(),
      ],
      { launchTimeout: 200 },
    )
    expect(lines).toEqual([
      'CMETHOD-ERROR throws no rocks available: cafe',
      'CMETHOD-ERROR rejects no cows at [scrubbed]',
      'CMETHOD-ERROR odd unknown error',
      'CMETHOD-ERROR lazy no such module',
      'CMETHOD-ERROR stuck not launched within 0.2 s',
      `CMETHOD plain socks5 127.0.0.1:${port}`,
      'CMETHODS DONE',
    ])
    shows('CM-2', 'CM-3')
  })

  test('a transport that is launched too late gets no listener', async () => {
    let finish!: () => void
    const late = plain({
      client: () => new Promise((resolve) => (finish = () => resolve({ dial: () => Promise.reject(new Error()) }))),
    })
    const { listeners, lines } = await start([late], { launchTimeout: 50 })
    finish()
    await settle()
    expect(listeners).toEqual([])
    expect(lines).toEqual(['CMETHOD-ERROR plain not launched within 0.05 s', 'CMETHODS DONE'])
  })
})

describe('a connection', () => {
  test('FLOW-6: bytes go both ways, and what was sent before an end arrives before it', async () => {
    const { port } = await start([plain()])
    const { address } = await application((conn) => {
      conn.once('end', () => conn.end('too late')).resume()
    })
    const { conn, reply } = await socks(port, address)
    expect(reply).toBe(0)
    conn.end('x'.repeat(100_000))
    // The end of the parent closes the connection to the bridge both ways, so no answer to it can come.
    expect(await readAll(conn)).toBe('')
  })

  test('with halfOpen an end goes through before the other direction has ended', async () => {
    const { port } = await start([plain()], { halfOpen: true })
    const { address } = await application((conn) => {
      conn.once('end', () => conn.end('last words')).resume()
    })
    const { conn } = await socks(port, address)
    conn.end('x'.repeat(100_000))
    expect(await readAll(conn)).toBe('last words')
  })

  test('bytes that came with the SOCKS request are the application’s', async () => {
    const { port, lines } = await start([plain()])
    const { address } = await echo()
    const conn = await open(port)
    conn.write(Buffer.concat([socksRequest(address, 'k=v'), Buffer.from('early')]))
    expect((await readExactly(conn, 14))[5]).toBe(0)
    expect(String(await readExactly(conn, 5))).toBe('early')
    expect(lines.map(withoutPort)).toContain('STATUS TRANSPORT=plain CONNECT=Success')
  })

  test('STATUS-1, ANON-4: a dial that fails is told by reply, STATUS and LOG, without the address and the arguments', async () => {
    const dial = (): Promise<Duplex> =>
      Promise.reject(new PtError('PT_HANDSHAKE', 'bridge 203.0.113.9:1 has no key banana', { stage: 'auth' }))
    const { port, lines } = await start([plain({ dial })])
    const { conn, reply } = await socks(port, '203.0.113.9:1', 'key=banana')
    const { localPort } = conn
    expect(reply).toBe(1)
    expect(await readAll(conn)).toBe('')
    expect(lines.slice(2)).toEqual([
      `STATUS TRANSPORT=plain PORT=${localPort} CONNECT=Failed STAGE=auth ERRSTR="bridge [scrubbed] has no key [scrubbed]"`,
      'LOG SEVERITY=notice MESSAGE="plain: connection failed: bridge [scrubbed] has no key [scrubbed] ' +
        '(auth: ask for a new bridge line)"',
    ])
    shows('STATUS-1', 'ANON-4')
  })

  test('ANON-4: of an argument that is a URL neither the host nor the path is told by itself', async () => {
    const dial = (): Promise<Duplex> => Promise.reject(new Error('GET /secret-path of cdn.example: 404'))
    const { port, lines } = await start([plain({ dial })])
    await socks(port, '203.0.113.9:1', 'url=https://cdn.example/secret-path')
    expect(withoutPort(lines[2])).toBe(
      'STATUS TRANSPORT=plain CONNECT=Failed ERRSTR="GET [scrubbed] of [scrubbed]: 404"',
    )
  })

  test('ANON-4: unsafe logging says the address of the bridge, and still no argument', async () => {
    const { reporter, lines } = recorder({ unsafeLogging: true })
    const dial = (): Promise<Duplex> => Promise.reject(new Error('bad key banana'))
    const { port } = await start([plain({ dial })], { reporter, unsafeLogging: true })
    await socks(port, '203.0.113.9:1', 'key=banana')
    expect(withoutPort(lines[2])).toBe(
      'STATUS TRANSPORT=plain ADDRESS=203.0.113.9:1 CONNECT=Failed ERRSTR="bad key [scrubbed]"',
    )
  })

  test('a bridge that refuses is reply 5 and stage connect', async () => {
    const { port, lines } = await start([rotByN])
    const { reply } = await socks(port, '127.0.0.1:1')
    expect(reply).toBe(5)
    expect(withoutPort(lines[2])).toMatch(/^STATUS TRANSPORT=rot_by_N CONNECT=Failed STAGE=connect ERRSTR="/)
  })

  test('ARGS-6: malformed arguments are refused before anything is dialed', async () => {
    let dials = 0
    const { port } = await start([plain({ dial: () => Promise.reject(new Error(String(dials++))) })])
    const conn = await open(port)
    conn.write(socksRequest('127.0.0.1:1', 'no-equal-sign'))
    expect([...(await readExactly(conn, 4))]).toEqual([5, 2, 1, 1])
    expect(await readAll(conn)).toBe('')
    expect(dials).toBe(0)
    shows('ARGS-6')
  })

  test('an argument that the transport misses is refused and named', async () => {
    const { port, lines } = await start([rotByN])
    const { reply } = await socks(port, '127.0.0.1:1', 'k=v')
    expect(reply).not.toBe(0)
    expect(withoutPort(lines[2])).toBe(`STATUS TRANSPORT=rot_by_N CONNECT=Failed ERRSTR="missing argument 'N'"`)
  })
})

describe('a dial', () => {
  /** A transport whose dial waits for its signal, and tells how it ended. */
  function waiting(): { transport: TransportEntry; dialing: Promise<void>; reason: Promise<unknown> } {
    let began!: () => void
    let ended!: (reason: unknown) => void
    const dialing = new Promise<void>((resolve) => (began = resolve))
    const reason = new Promise<unknown>((resolve) => (ended = resolve))
    const transport = plain({
      dial: ({ signal }) =>
        new Promise((_resolve, reject) => {
          began()
          signal.addEventListener('abort', () => {
            ended(signal.reason)
            reject(signal.reason as Error)
          })
        }),
    })
    return { transport, dialing, reason }
  }

  test.each<readonly [how: string, hangUp: (conn: Socket) => void]>([
    ['closes', (conn) => conn.destroy()],
    ['resets', (conn) => conn.resetAndDestroy()],
    ['ends', (conn) => conn.end()],
  ])('a parent that %s its connection aborts it', async (_how, hangUp) => {
    const { transport, dialing, reason } = waiting()
    const { port, lines, connections } = await start([transport])
    const conn = await open(port)
    conn.write(socksRequest('127.0.0.1:1', 'k=v'))
    await dialing
    hangUp(conn)
    expect(await reason).toMatchObject({ code: 'PT_CLOSED' })
    conn.destroy()
    await connections.drain(5_000)
    // Nothing is wrong with the bridge, so nothing is said of it.
    expect(lines.filter((line) => line.startsWith('STATUS'))).toEqual([])
  })

  test.each<readonly [how: string, hangUp: (conn: Socket) => void]>([
    ['closes', (conn) => conn.destroy()],
    ['resets', (conn) => conn.resetAndDestroy()],
    ['ends', (conn) => conn.end()],
  ])(
    'of a transport that outlasts its parent goes on if it %s its connection, and then closes',
    async (_how, hangUp) => {
      let accepted!: (wire: Socket) => void
      const bridge = await application((wire) => accepted(wire))
      let answer!: () => void
      let aborted!: () => boolean
      const dial = async ({ target, connect, signal }: ClientSession): Promise<Duplex> => {
        aborted = () => signal.aborted
        const conn = await connect(target, signal)
        await new Promise<void>((resolve) => (answer = resolve))
        return conn
      }
      const client = (): Client => ({ dial, outlastsParent: true })
      const { port, connections, listeners } = await start([plain({ client })])
      for (const end of ['answered', 'stopped']) {
        const arrived = new Promise<Socket>((resolve) => (accepted = resolve))
        const conn = await open(port)
        conn.write(socksRequest(bridge.address, 'k=v'))
        const wire = await arrived
        const ended = once(wire.resume(), 'end')
        hangUp(conn)
        conn.destroy()
        await vi.waitFor(() => expect(connections.count.open).toBe(0))
        expect([aborted(), wire.readableEnded, wire.destroyed]).toEqual([false, false, false])
        if (end === 'answered') answer()
        else for (const listener of listeners) listener.close()
        await ended
      }
      expect(aborted()).toBe(true)
    },
  )

  test('that the parent gave up after some time is reported with what was waited for: a connection', async () => {
    const { transport, dialing, reason } = waiting()
    const { port, lines } = await start([transport], { patience: 1 })
    const conn = await open(port)
    conn.write(socksRequest('127.0.0.1:1', 'k=v'))
    await dialing
    await timePasses(5)
    conn.destroy()
    await reason
    await vi.waitFor(() => expect(lines.at(-1)).toMatch(/^LOG SEVERITY=notice/))
    expect(lines.slice(-2)).toEqual([
      expect.stringMatching(
        /^STATUS TRANSPORT=plain PORT=\d+ CONNECT=Failed STAGE=connect ERRSTR="the parent gave up after 1 s, and no connection to the bridge had been made"$/,
      ),
      expect.stringContaining('plain: connection failed: the parent gave up after 1 s'),
    ])
  })

  test.each([true, false])(
    'that the parent gave up after some time is reported with what was waited for: an answer (outlasting: %s)',
    async (outlastsParent) => {
      let accepted!: (wire: Socket) => void
      const arrived = new Promise<Socket>((resolve) => (accepted = resolve))
      const bridge = await application((wire) => accepted(wire))
      const dial = async ({ target, connect, signal }: ClientSession): Promise<Duplex> => {
        const conn = await connect(target, signal)
        await readExactly(conn, 1, signal)
        return conn
      }
      const { port, lines } = await start([plain({ client: () => ({ dial, outlastsParent }) })], { patience: 1 })
      const conn = await open(port)
      conn.write(socksRequest(bridge.address, 'k=v'))
      await arrived
      await timePasses(50)
      conn.end()
      await vi.waitFor(() => expect(lines.at(-1)).toMatch(/^LOG SEVERITY=notice/))
      expect(withoutPort(lines.at(-2))).toBe(
        'STATUS TRANSPORT=plain CONNECT=Failed STAGE=timeout ERRSTR="the parent gave up after 1 s, and the bridge had not answered; most likely the cert, password or key in the bridge line is not of this bridge"',
      )
    },
  )

  test.each([true, false])(
    'its signal lives until the connection has ended, and not longer (outlasting: %s)',
    async (outlastsParent) => {
      const { address } = await echo()
      const signals: AbortSignal[] = []
      const dial = async ({ target, connect, signal }: ClientSession): Promise<Duplex> => {
        signals.push(signal)
        return await connect(target, signal)
      }
      const { port, connections } = await start([plain({ client: () => ({ dial, outlastsParent }) })], {
        dialTimeout: 300,
      })
      const [first, second] = [await socks(port, address), await socks(port, address)]
      // The time limit of the handshake is over, and nothing happens.
      await timePasses(400)
      second.conn.write('x')
      expect(String(await readExactly(second.conn, 1))).toBe('x')
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false])
      first.conn.destroy()
      await vi.waitFor(() => expect(signals[0]!.aborted).toBe(true))
      expect(signals[0]!.reason).toMatchObject({ code: 'PT_CLOSED', message: 'the connection has ended' })
      expect(signals[1]!.aborted).toBe(false)
      await connections.drain(10)
      expect(signals[1]!.aborted).toBe(true)
    },
  )

  test('a time limit ends it, with reply 6', async () => {
    const { transport, reason } = waiting()
    const { port, lines } = await start([transport], { dialTimeout: 50 })
    const { reply } = await socks(port, '127.0.0.1:1')
    expect(reply).toBe(6)
    expect(await reason).toMatchObject({ code: 'PT_TIMEOUT' })
    expect(withoutPort(lines[2])).toContain('CONNECT=Failed STAGE=timeout')
  })

  test('a shutdown ends it', async () => {
    const { transport, dialing, reason } = waiting()
    const { port, connections } = await start([transport])
    const conn = await open(port)
    conn.write(socksRequest('127.0.0.1:1', 'k=v'))
    await dialing
    await connections.drain(10)
    expect(await reason).toMatchObject({ code: 'PT_CLOSED' })
  })

  test('a transport that ignores its signal is given up, and the stream that it returns later is destroyed', async () => {
    let finish!: () => void
    let late!: Duplex
    const transport = plain({
      async dial({ target, connect }) {
        late = await connect(target, new AbortController().signal)
        await new Promise<void>((resolve) => (finish = resolve))
        return framed(late, { encode: (bytes) => bytes, decode: (bytes) => [bytes] })
      },
    })
    const { address } = await echo()
    const { port } = await start([transport], { dialTimeout: 1_000 })
    expect((await socks(port, address)).reply).toBe(6)
    finish()
    if (!late.destroyed) await once(late, 'close')
  })

  test('a transport that fails and forgets its socket leaves none open', async () => {
    let forgotten!: Duplex
    const transport = plain({
      async dial({ target, connect, signal }) {
        forgotten = await connect(target, signal)
        throw new Error('handshake failed')
      },
    })
    const { address } = await echo()
    const { port } = await start([transport])
    expect((await socks(port, address)).reply).toBe(1)
    if (!forgotten.destroyed) await once(forgotten, 'close')
  })

  test('an error of the stream that nobody listens for ends its connection and no other', async () => {
    const transport = plain({
      async dial({ target, connect, signal }) {
        const conn = await connect(target, signal)
        setTimeout(() => conn.destroy(new Error('torn')), 20)
        return conn
      },
    })
    const { address } = await echo()
    const { port } = await start([transport])
    const { conn, reply } = await socks(port, address)
    expect(reply).toBe(0)
    expect(await readAll(conn)).toBe('')
    expect((await socks(port, address)).reply).toBe(0)
  })
})

test('a client that says one byte and waits is cut at the deadline', async () => {
  const { port, lines } = await start([rotByN], { socksTimeout: 100 })
  const conn = await open(port)
  conn.write(Buffer.of(5))
  expect(await readAll(conn)).toBe('')
  expect(lines.at(-1)).toMatch(
    /^LOG SEVERITY=info MESSAGE="rot_by_N: no SOCKS request: the SOCKS handshake took longer/,
  )
})
