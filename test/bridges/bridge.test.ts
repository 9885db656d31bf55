import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer as createHttpServer, get } from 'node:http'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { connect } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  bridgeDispatcher,
  connectBridge,
  createBridgeServer,
  httpAgent,
  openBridge,
  parseBridgeLine,
} from '../../src/index.ts'
import type { ServerTransportInit } from '../../src/index.ts'
import { startTunnelClient, startTunnelServer, parseAllowList } from '../../src/app/index.ts'
import { readExactly } from '../../src/io/read.ts'
import { connectSocks } from '../../src/socks/index.ts'
import { CLOSED_PORT, echoed, failureOf, freePort, hearUncaught, tempDir } from '../support.ts'
import { ownPt, serve, serveEcho, startBridge, withWrongCert } from './bridges.ts'

describe.each([
  ['in this process', {}],
  ['in a process of its own', { exec: ownPt }],
])('a bridge, with the transport %s', (_, options) => {
  test('carries several connections, and ends them with itself', async () => {
    const bridge = await openBridge(await startBridge(await serveEcho()), options)
    await once(bridge, 'ready')
    const [a, b] = await Promise.all([bridge.connect(), bridge.connect()])
    expect(await echoed(a, 'first')).toBe('first')
    b.write('second')
    expect(String(((await once(b, 'data')) as [Buffer])[0])).toBe('second')
    const closed = once(b, 'close')
    await bridge.close()
    await closed
    await expect(bridge.connect()).rejects.toMatchObject({ code: 'PT_STOPPED' })
  })

  test('conn.end(request) delivers the request and ends the connection, so that a later answer is lost', async () => {
    let asked = ''
    const service = createServer({ allowHalfOpen: true }, (conn) => {
      conn.on('data', (chunk: Buffer) => (asked += String(chunk)))
      conn.once('end', () => conn.end('an answer'))
    })
    await using bridge = await openBridge(await startBridge(await serve(service)), options)
    const conn = await bridge.connect()
    conn.end('a request')
    expect(await text(conn)).toBe('')
    await expect.poll(() => asked).toBe('a request')
  })

  test('with halfOpen at both ends, conn.end(request) leaves the answer its time', async () => {
    const halfOpenPt = [...ownPt, '--half-open']
    const service = createServer({ allowHalfOpen: true }, (conn) => {
      conn.once('end', () => conn.end('an answer')).resume()
    })
    const line = await startBridge(await serve(service), { exec: halfOpenPt })
    const halfOpen = 'exec' in options ? { exec: halfOpenPt } : { halfOpen: true }
    await using bridge = await openBridge(line, halfOpen)
    const conn = await bridge.connect()
    conn.end('a request')
    expect(await text(conn)).toBe('an answer')
  })

  test('connectBridge: one connection, and nothing is left behind it', async () => {
    const conn = await connectBridge(await startBridge(await serveEcho()), options)
    expect(await echoed(conn, 'hello')).toBe('hello')
  })

  test('a failure has its stage: nobody there, and nobody who answers', async () => {
    const good = await startBridge(await serveEcho())
    const dead = good.replace(/ 127\.0\.0\.1:\d+/, ` 127.0.0.1:${await freePort()}`)
    await using bridge = await openBridge(dead, options)
    const failure = once(bridge, 'failure')
    await expect(bridge.connect()).rejects.toMatchObject({ stage: 'connect' })
    expect((await failure)[1]).toMatchObject({ transport: 'obfs4' })
    const wrong = openBridge(withWrongCert(good), { ...options, connectTimeout: 1_500 })
    await using silent = await wrong
    await expect(silent.connect()).rejects.toMatchObject({ stage: 'timeout' })
  })

  test('a signal ends a connection that is being made, and another the bridge itself', async () => {
    const wrong = withWrongCert(await startBridge(await serveEcho()))
    const [giveUp, close] = [new AbortController(), new AbortController()]
    const bridge = await openBridge(wrong, { ...options, signal: close.signal })
    const pending = bridge.connect({ signal: giveUp.signal })
    giveUp.abort(new Error('enough'))
    await expect(pending).rejects.toThrow('enough')
    const closed = once(bridge, 'closed')
    close.abort()
    await closed
  })

  test('PT_LAUNCH: a transport that is not there; PT_PROXY_URI; PT_BRIDGE_LINE; nothing is left', async () => {
    await expect(openBridge('unheard 127.0.0.1:1', options)).rejects.toMatchObject({ code: 'PT_LAUNCH' })
    await expect(openBridge('obfs3 127.0.0.1:1', { ...options, proxy: 'x' })).rejects.toMatchObject({
      code: 'PT_PROXY_URI',
    })
    await expect(openBridge('obfs3', options)).rejects.toMatchObject({ code: 'PT_BRIDGE_LINE' })
    await expect(openBridge([], options)).rejects.toMatchObject({ code: 'PT_BRIDGE_LINE' })
  })

  test('require any: lines of transports that are not there are passed over, and told', async () => {
    const missing = 'unheard 127.0.0.1:9 k=v'
    const passedOver: string[] = []
    await using bridge = await openBridge([missing, await startBridge(await serveEcho())], {
      ...options,
      require: 'any',
      onPassedOver: ({ transport }, why) => passedOver.push(`${transport}: ${why}`),
    })
    expect(bridge.lines.map(({ transport }) => transport)).toEqual(['obfs4'])
    expect(passedOver).toEqual([expect.stringMatching(/^unheard: ./)])
    const conn = await bridge.connect()
    conn.write('hello')
    expect(String(((await once(conn, 'data')) as [Buffer])[0])).toBe('hello')
    await expect(openBridge(missing, { ...options, require: 'any' })).rejects.toMatchObject({ code: 'PT_LAUNCH' })
    await expect(openBridge([missing, 'obfs3 127.0.0.1:9'], options)).rejects.toMatchObject({ code: 'PT_LAUNCH' })
  })

  test('http.Agent with keep-alive and fetch, one connection after another', async () => {
    const web = await serve(createHttpServer((request, response) => response.end(`${request.method} ${request.url}`)))
    await using bridge = await openBridge(await startBridge(web), options)
    let connections = 0
    bridge.on('connection', () => connections++)
    const agent = httpAgent(bridge, { keepAlive: true, maxSockets: 1 })
    for (const path of ['/a', '/b']) {
      const [response] = (await once(get(`http://far.example${path}`, { agent, timeout: 10_000 }), 'response')) as [
        NodeJS.ReadableStream,
      ]
      expect(await text(response)).toBe(`GET ${path}`)
    }
    expect(connections).toBe(1)
    agent.destroy()
    const dispatcher = await bridgeDispatcher(bridge)
    const response = await fetch('http://far.example/c', { method: 'POST', body: 'x', dispatcher })
    expect(await response.text()).toBe('POST /c')
    await dispatcher.close()
  })

  test('an agent hands on why there is no connection', async () => {
    await using bridge = await openBridge(`obfs3 127.0.0.1:${await freePort()}`, options)
    await expect(once(get('http://x.example/', { agent: httpAgent(bridge) }), 'response')).rejects.toMatchObject({
      stage: 'connect',
    })
    const fetched = fetch('http://x.example/', { dispatcher: await bridgeDispatcher(bridge) })
    await expect(fetched).rejects.toMatchObject({ cause: { stage: 'connect' } })
  })
})

test.each<[what: string, code: string, stage: string, peer: ((conn: Socket) => void) | undefined, args?: string]>([
  ['noise', 'PT_HANDSHAKE', 'mark', (conn) => conn.write(randomBytes(20_000))],
  ['a server that hangs up', 'PT_HANDSHAKE', 'closed', (conn) => conn.once('data', () => conn.end())],
  ['a port that nobody listens at', 'PT_CONNECT', 'connect', undefined],
  ['half a cert', 'PT_ARGS', 'argument', undefined, 'cert=abc'],
])(
  '%s: the same code, sentence and account of it in this process and beside it',
  async (_, code, stage, peer, args) => {
    const port = peer === undefined ? CLOSED_PORT : await serve(createServer((conn) => peer(conn.resume())))
    const line = `obfs4 127.0.0.1:${port} ${args ?? `cert=${randomBytes(52).toString('base64').slice(0, 70)}`} iat-mode=0`
    const accounts: unknown[] = []
    for (const options of [{}, { exec: ownPt }]) {
      await using bridge = await openBridge(line, options)
      const error = await failureOf(bridge.connect())
      accounts.push({ code: error.code, stage: error.stage, message: error.message, reported: error.reported })
    }
    expect(accounts[0]).toMatchObject({ code, stage })
    expect(accounts[0]).toHaveProperty('message', expect.stringMatching(/^obfs4: (?!.*SOCKS)/))
    expect(accounts[0]).toHaveProperty('reported', expect.any(String))
    expect(accounts[1]).toEqual(accounts[0])
  },
)

test('what a listener throws reaches the application, and neither the next listener nor a connection suffers', async () => {
  const uncaught = hearUncaught()
  const mistakes = ['connection', 'failure', 'closed'].map((event) => new Error(event))
  const told: string[] = []
  await using bridge = await openBridge(await startBridge(await serveEcho()))
  await using dead = await openBridge(`obfs3 127.0.0.1:${await freePort()}`)
  bridge
    .on('connection', () => {
      throw mistakes[0]!
    })
    .on('connection', () => told.push('connection'))
    .once('closed', () => {
      throw mistakes[2]!
    })
  dead
    .on('failure', () => {
      throw mistakes[1]!
    })
    .on('failure', () => told.push('failure'))
  expect(await echoed(await bridge.connect(), 'hello')).toBe('hello')
  await expect(dead.connect()).rejects.toMatchObject({ stage: 'connect' })
  await bridge.close()
  await expect.poll(() => uncaught).toEqual(mistakes)
  expect(told).toEqual(['connection', 'failure'])
})

describe.each([
  ['in this process', {}],
  ['in a process of its own', { exec: ownPt }],
])('createBridgeServer, with the transports %s', (_, options) => {
  test('what its listener throws reaches the application, and the connection is cut off', async () => {
    const uncaught = hearUncaught()
    const mistake = new Error('of the application')
    await using server = await createBridgeServer(
      { ...options, stateDir: tempDir(), transports: [{ name: 'obfs3', bindAddress: '127.0.0.1:0' }] },
      () => {
        throw mistake
      },
    )
    await closed(await connectBridge(server.bridgeLines()[0]!))
    expect(uncaught).toEqual([mistake])
  })

  test('hands over each connection with its transport and client address', async () => {
    await using server = await createBridgeServer(
      { ...options, stateDir: tempDir(), transports: [{ name: 'obfs4', bindAddress: '127.0.0.1:0' }, 'obfs3'] },
      (conn, { transport, userAddr }) => conn.end(`${transport} ${userAddr?.host}`),
    )
    expect([...server.methods.keys()]).toEqual(['obfs4', 'obfs3'])
    for (const line of server.bridgeLines('127.0.0.1')) {
      const { transport } = parseBridgeLine(line)
      expect(await text(await connectBridge(line))).toBe(`${transport} 127.0.0.1`)
    }
    const [bound, anywhere] = server.bridgeLines()
    expect(bound).toMatch(/^obfs4 127\.0\.0\.1:\d+ cert=/)
    expect(anywhere).toMatch(/^obfs3 <IP ADDRESS>:\d+$/)
    expect(server.bridgeLines('198.51.100.7:443')[0]).toMatch(/^obfs4 198\.51\.100\.7:443 cert=/)
    expect(server.bridgeLines('2600::1')[1]).toMatch(/^obfs3 \[2600::1\]:\d+$/)
  })

  test('a transport that is not there is in `failures`, and with `require` all it is the error', async () => {
    const wanted = { ...options, transports: [{ name: 'obfs3', bindAddress: '127.0.0.1:0' }, 'foo'] }
    await using server = await createBridgeServer({ ...wanted, stateDir: tempDir() }, (conn) => conn.end('hello'))
    expect([[...server.methods.keys()], [...server.failures.keys()]]).toEqual([['obfs3'], ['foo']])
    expect(await text(await connectBridge(server.bridgeLines()[0]!))).toBe('hello')
    const all = createBridgeServer({ ...wanted, require: 'all', stateDir: tempDir() }, () => undefined)
    await expect(all).rejects.toMatchObject({ code: 'PT_LAUNCH' })
  })

  test('drain() closes the port and lets a connection end by itself; stop() and the signal cut it', async () => {
    const stop = new AbortController()
    const held: Duplex[] = []
    const server = await createBridgeServer(
      {
        ...options,
        signal: stop.signal,
        stateDir: tempDir(),
        transports: [{ name: 'obfs3', bindAddress: '127.0.0.1:0' }],
      },
      (conn) => void held.push(conn.on('data', (bytes) => conn.write(bytes))),
    )
    const line = server.bridgeLines()[0]!
    const [polite, stubborn] = [await connectBridge(line), await connectBridge(line)]
    for (const conn of [polite, stubborn]) {
      conn.write('hello')
      expect(String(await readExactly(conn, 5))).toBe('hello')
    }
    const drained = server.drain(60_000)
    await expect
      .poll(() =>
        connectBridge(line).then(
          (conn) => conn.destroy(),
          () => 'refused',
        ),
      )
      .toBe('refused')
    expect(await echoed(polite, 'still here')).toBe('still here')
    const cut = closed(stubborn)
    await closed(polite)
    stop.abort()
    await Promise.all([cut, drained])
    await vi.waitUntil(() => held.every((conn) => conn.destroyed))
    expect((await server.stop())?.code).toBe('exec' in options ? 0 : undefined)
  })
})

test('createBridgeServer in this process refuses what cannot run, and leaves no port open', async () => {
  const port = await freePort()
  const bindAddress = `127.0.0.1:${port}`
  const serve = (...transports: ServerTransportInit[]): Promise<unknown> =>
    createBridgeServer({ require: 'all', stateDir: tempDir(), transports }, () => undefined)
  await expect(serve()).rejects.toMatchObject({ code: 'PT_LAUNCH' })
  await expect(serve({ name: 'obfs3', bindAddress }, { name: 'foo' })).rejects.toThrow('no built-in transport foo')
  const wrong = { name: 'obfs4', bindAddress, options: { 'iat-mode': '7' } }
  await expect(serve(wrong)).rejects.toMatchObject({ code: 'PT_ARGS' })
  await using _holder = await createBridgeServer(
    { stateDir: tempDir(), transports: [{ name: 'obfs3', bindAddress }] },
    () => undefined,
  )
  await expect(serve({ name: 'obfs3', bindAddress })).rejects.toThrow('EADDRINUSE')
})

describe('tunnels', () => {
  async function dial(port: number): Promise<Socket> {
    const conn = connect(port, '127.0.0.1')
    onTestFinished(() => void conn.destroy())
    await once(conn, 'connect')
    return conn
  }

  test('the bytes of both directions, counted', async () => {
    const bridge = await openBridge(await startBridge(await serveEcho()))
    await using tunnel = await startTunnelClient({ bridge, listen: '127.0.0.1:0' })
    const conn = await dial(tunnel.address.port)
    expect(await echoed(conn, 'there and back')).toBe('there and back')
    expect(tunnel.stats).toMatchObject({ state: 'ready', total: 1, bytesUp: 14, bytesDown: 14, failures: {} })
  })

  test('a signal ends a tunnel, and one that has aborted lets none start', async () => {
    const echo = await serveEcho()
    const stop = new AbortController()
    const { signal } = stop
    const server = await startTunnelServer({
      exec: ownPt,
      transport: 'obfs4',
      listen: '127.0.0.1:0',
      stateDir: tempDir(),
      forward: { type: 'address', target: `127.0.0.1:${echo}` },
      signal,
    })
    const bridge = await openBridge(server.bridgeLine())
    const client = await startTunnelClient({ bridge, listen: '127.0.0.1:0', signal })
    const conn = connect(client.address.port, '127.0.0.1')
    expect(await echoed(conn, 'hello')).toBe('hello')
    const closed = [once(client, 'closed'), once(server, 'closed')]
    stop.abort(new Error('enough'))
    await Promise.all(closed)
    await expect(bridge.connect()).rejects.toMatchObject({ code: 'PT_STOPPED' })
    const again = startTunnelClient({ bridge, listen: '127.0.0.1:0', signal })
    await expect(again).rejects.toThrow('enough')
  })

  test('closing drains: what is open may end, what is left is cut, and the port is shut at once', async () => {
    const bridge = await openBridge(await startBridge(await serveEcho()))
    const tunnel = await startTunnelClient({ bridge, listen: '127.0.0.1:0', drainTimeout: 300 })
    const [polite, stubborn] = [await dial(tunnel.address.port), await dial(tunnel.address.port)]
    for (const conn of [polite, stubborn]) {
      conn.write('x')
      await once(conn, 'data')
    }
    const closing = tunnel.close()
    expect(tunnel.stats.state).toBe('draining')
    expect(await echoed(polite, 'last words')).toBe('last words')
    const cut = once(
      stubborn.on('error', () => {}),
      'close',
    )
    await closing
    await cut
    expect(tunnel.stats).toMatchObject({ state: 'closed', open: 0 })
    await expect(once(connect(tunnel.address.port, '127.0.0.1'), 'connect')).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
  })

  test('with as many connections as allowed a newcomer waits until another one has ended, and is served then', async () => {
    const bridge = await openBridge(await startBridge(await serveEcho()))
    await using tunnel = await startTunnelClient({ bridge, listen: '127.0.0.1:0', maxConnections: 1, drainTimeout: 0 })
    const first = await dial(tunnel.address.port)
    first.write('x')
    await once(first, 'data')
    const second = await dial(tunnel.address.port)
    second.write('y')
    const served = once(second, 'data')
    first.write('z')
    await once(first, 'data')
    expect(tunnel.stats).toMatchObject({ open: 1, waiting: 0, total: 1 })
    first.destroy()
    expect(String((await served)[0])).toBe('y')
    expect(tunnel.stats).toMatchObject({ total: 2, refused: 0 })
  })

  test('PT_ADDRESS: it does not listen for other machines unless told to', async () => {
    const bridge = await openBridge('obfs3 127.0.0.1:1')
    await expect(startTunnelClient({ bridge, listen: '0.0.0.0:0' })).rejects.toMatchObject({ code: 'PT_ADDRESS' })
    await expect(bridge.connect()).rejects.toMatchObject({ code: 'PT_STOPPED' })
  })

  test('PT_DENIED: a wrong secret, and a destination that is not on the list', async () => {
    const echo = await serveEcho()
    const stateDir = tempDir()
    await using server = await startTunnelServer({
      exec: ownPt,
      transport: 'obfs3',
      listen: '127.0.0.1:0',
      stateDir,
      forward: { type: 'socks', allow: parseAllowList([`127.0.0.1:${echo}`]) },
    })
    const denied = once(server, 'failure')
    const bridge = await openBridge(server.bridgeLine())
    await using tunnel = await startTunnelClient({ bridge, listen: '127.0.0.1:0', socks: true, secret: 'open sesame' })
    const ask = async (password: string, target: string): Promise<Socket> => {
      const conn = await dial(tunnel.address.port)
      await connectSocks(conn, { version: 5, target, credentials: { user: 'any', password } })
      return conn
    }
    const conn = await ask('open sesame', `127.0.0.1:${echo}`)
    expect(await echoed(conn, 'hello')).toBe('hello')
    const refused = once(tunnel, 'failure')
    await expect(ask('open says me', `127.0.0.1:${echo}`)).rejects.toMatchObject({ code: 'PT_SOCKS_REFUSED' })
    expect((await refused)[0]).toMatchObject({ code: 'PT_DENIED' })
    await expect(ask('open sesame', '127.0.0.1:9')).rejects.toMatchObject({ code: 'PT_SOCKS_REFUSED' })
    expect((await denied)[0]).toMatchObject({ code: 'PT_DENIED' })
    const version4 = await dial(tunnel.address.port)
    await expect(connectSocks(version4, { version: 4, target: '127.0.0.1:9' })).rejects.toMatchObject({
      code: 'PT_SOCKS_REFUSED',
    })
    expect(existsSync(stateDir)).toBe(true)
  })

  test('newcomers of a server whose transport has a process of its own wait until another one has ended', async () => {
    await using server = await startTunnelServer({
      exec: ownPt,
      transport: 'obfs3',
      listen: '127.0.0.1:0',
      stateDir: tempDir(),
      forward: { type: 'address', target: `127.0.0.1:${await serveEcho()}` },
      maxConnections: 1,
      drainTimeout: 0,
    })
    const bridge = await openBridge(server.bridgeLine())
    const first = await bridge.connect()
    first.write('first')
    expect(String(await readExactly(first, 5))).toBe('first')
    const second = await bridge.connect()
    second.write('second')
    await vi.waitUntil(() => server.stats.waiting === 1)
    expect([server.stats.open, second.readableLength]).toEqual([1, 0])
    const answer = readExactly(second, 6)
    expect(await echoed(first, 'still the first')).toBe('still the first')
    expect(String(await answer)).toBe('second')
    await bridge.close()
  })

  test('a destination that is down is a failure of the server, with its stage', async () => {
    await using server = await startTunnelServer({
      exec: ownPt,
      transport: 'obfs3',
      listen: '127.0.0.1:0',
      stateDir: tempDir(),
      forward: { type: 'address', target: `127.0.0.1:${await freePort()}` },
    })
    const failure = once(server, 'failure')
    const conn = await connectBridge(server.bridgeLine())
    await closed(conn)
    expect((await failure)[0]).toMatchObject({ code: 'PT_CONNECT', stage: 'connect' })
  })

  test('a server of another kind is no bridge: the stage says so', async () => {
    const port = await serve(createServer((conn) => conn.end('220 mail.example ready\r\n')))
    const line = (await startBridge(await serveEcho())).replace(/ 127\.0\.0\.1:\d+/, ` 127.0.0.1:${port}`)
    await expect(connectBridge(line)).rejects.toMatchObject({ stage: 'closed' })
  })
})

/** By an end or by a reset: it depends on whether the other side has read all by then. */
function closed(conn: Duplex): Promise<unknown> {
  conn.on('error', () => undefined).resume()
  return new Promise((resolve) => conn.once('close', resolve))
}
