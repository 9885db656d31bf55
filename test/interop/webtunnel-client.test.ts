/** Our client beside webtunnel-server (Go): directly, as its fronts reach it, and through HAProxy with TLS. */
import { spawn } from 'node:child_process'
import { createHook } from 'node:async_hooks'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { launchClient, launchServer } from 'postern/parent'
import { readExactly } from 'postern/io'
import { acceptSocks } from 'postern/socks'
import { chainHash } from 'postern/tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { TestContext } from 'vitest'
import { bridgeFetch } from '../../src/fetch/index.ts'
import { openBridge } from '../../src/index.ts'
import { serve as serveHttp } from '../bridges/bridges.ts'
import { ready, start } from '../cli/postern.ts'
import { echo, serve } from '../loopback.ts'
import { echoed, failureOf, freePort, peer, root, tempDir, timePasses } from '../support.ts'
import { host, leaf, middlebox, root as authority, tlsFront } from '../transports/web/fronts.ts'
import { onceCalled } from '../transports/harness.ts'
import { exchange } from './traffic.ts'

const SECRET = '/a%2Fsecret'

/** webtunnel-server with `use` as its application; the port that fronts reach it at. */
async function goServer(context: TestContext, use: (conn: Duplex) => void): Promise<number> {
  const port = await freePort()
  const options = { url: `https://${host}${SECRET}` }
  const pt = await launchServer({
    exec: peer('webtunnel-server', context),
    transports: [{ name: 'webtunnel', bindAddress: `127.0.0.1:${port}`, options }],
    stateDir: tempDir(),
    restart: false,
    onConnection: ({ conn }) => use(conn.on('error', () => undefined)),
  })
  onTestFinished(async () => void (await pt.stop()))
  return port
}

/** HAProxy in mode tcp with TLS before `backend`; its port. */
async function haproxy(context: TestContext, backend: number): Promise<number> {
  const [dir, port] = [tempDir(), await freePort()]
  writeFileSync(join(dir, 'both.pem'), leaf.pem + leaf.keyPem)
  writeFileSync(
    join(dir, 'haproxy.cfg'),
    `defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend tls
  bind 127.0.0.1:${port} ssl crt ${dir}/both.pem alpn http/1.1
  default_backend bridge
backend bridge
  server bridge 127.0.0.1:${backend}
`,
  )
  const child = spawn(peer('haproxy', context), ['-db', '-f', join(dir, 'haproxy.cfg')], { stdio: 'ignore' })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  for (let tries = 0; tries < 200 && !(await listens(port)); tries++) await timePasses(50)
  return port
}

async function listens(port: number): Promise<boolean> {
  const conn = connect(port, '127.0.0.1')
  const connected = await once(conn, 'connect').then(
    () => true,
    () => false,
  )
  conn.destroy()
  return connected
}

/** A bridge line as it is handed out, with the made-up address of its bridge. */
const lineOf = (...args: string[]): string => ['webtunnel [2001:db8:44::1]:443', ...args, 'ver=0.0.7'].join(' ')
const direct = (port: number): string => lineOf(`url=http://127.0.0.1:${port}${SECRET}`)
const throughTls = (port: number): string => lineOf(`url=https://${host}${SECRET}`, `addr=127.0.0.1:${port}`)
const echoes = (conn: Duplex): void => void conn.pipe(conn)

describe('webtunnel-server', () => {
  test('carries 4 MiB each way, directly and through HAProxy with TLS, with the hello of each browser', async (context) => {
    const waiting: ((conn: Duplex) => void)[] = []
    const port = await goServer(context, (conn) => waiting.shift()?.(conn))
    const front = await haproxy(context, port)
    for (const line of [direct(port), throughTls(front), `${throughTls(front)} profile=firefox`]) {
      await using bridge = await openBridge(line)
      const served = new Promise<Duplex>((resolve) => waiting.push(resolve))
      const conn = await bridge.connect()
      const { sent, received } = await exchange(conn, await served, 4)
      expect(received).toEqual(sent)
    }
  })

  test('ends with its application, and ours with it', async (context) => {
    const front = await haproxy(context, await goServer(context, (conn) => void conn.end('the last words')))
    await using bridge = await openBridge(throughTls(front))
    const conn = await bridge.connect()
    let heard = ''
    conn.on('data', (chunk: Buffer) => (heard += String(chunk)))
    await once(conn, 'close')
    expect([heard, conn.errored]).toEqual(['the last words', null])
  })

  test('is told when our application ends', async (context) => {
    const served = onceCalled<Duplex>()
    const front = await haproxy(context, await goServer(context, served.call))
    await using bridge = await openBridge(throughTls(front))
    const conn = await bridge.connect()
    conn.end('the last words')
    const far = await served.called
    let heard = ''
    far.on('data', (chunk: Buffer) => (heard += String(chunk)))
    await once(far, 'end')
    expect(heard).toBe('the last words')
  })

  test('serves a fetch that is bound to the bridge', async (context) => {
    const web = await serveHttp(createHttpServer((request, response) => response.end(`hello ${request.headers.host}`)))
    const front = await haproxy(
      context,
      await goServer(context, (conn) => {
        const far = connect(web, '127.0.0.1').on('error', () => undefined)
        conn.pipe(far).pipe(conn)
      }),
    )
    await using bridge = await openBridge(throughTls(front))
    const fetch = bridgeFetch(bridge)
    expect(await (await fetch('http://a.example/')).text()).toBe('hello a.example')
  })

  test('serves `postern client` and `postern pt`', async (context) => {
    const port = await goServer(context, echoes)
    const running = start('client', '--listen', '127.0.0.1:0', direct(port))
    const { listen } = await ready(running, 'client')
    const [, listenPort] = /:(\d+)$/.exec(listen) ?? []
    expect(await echoed(connect(Number(listenPort), '127.0.0.1'), 'hello')).toBe('hello')
    expect(await running.stop()).toEqual({ status: 0, stderr: '' })

    const exec = [process.execPath, join(root, 'dist/cli/main.js'), 'pt']
    const pt = await launchClient({ exec, transports: ['webtunnel'], stateDir: tempDir(), restart: false })
    onTestFinished(async () => void (await pt.stop()))
    const args = { url: `http://127.0.0.1:${port}${SECRET}`, ver: '0.0.7' }
    expect(await echoed(await pt.connect('webtunnel', '[2001:db8:44::1]:443', { args }), 'hello')).toBe('hello')
    const wrong = pt.connect('webtunnel', '[2001:db8:44::1]:443', { args: { url: 'http://127.0.0.1:1/' } })
    expect(await failureOf(wrong)).toMatchObject({ code: 'PT_CONNECT', stage: 'connect' })
  })
})

describe('the end of a connection of our PT', () => {
  /** A record of TLS 1.3 that holds an alert: two bytes, their type, and the tag. */
  const alert = /^1703030013[0-9a-f]{38}$/

  test.each(['application', 'front'] as const)('is close_notify and FIN if the %s ends first', async (first) => {
    const front = await tlsFront((conn) => {
      const letIn = (): void => void conn.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhello')
      conn.once('data', letIn)
    })
    const box = await middlebox(front.port, () => 'pass')
    const exec = [process.execPath, join(root, 'dist/cli/main.js'), 'pt']
    const pt = await launchClient({ exec, transports: ['webtunnel'], stateDir: tempDir(), restart: false })
    onTestFinished(async () => void (await pt.stop()))
    const cert = chainHash([leaf.der, authority.der]).toString('base64')
    const args = { url: `https://${host}/secret`, addr: `127.0.0.1:${box.port}`, cert }
    const conn = await pt.connect('webtunnel', '[2001:db8:44::1]:443', { args })
    expect(String(await readExactly(conn, 5))).toBe('hello')
    expect(box.lastWords).toEqual([])
    if (first === 'application') conn.end()
    else box.cut(Buffer.alloc(0))
    conn.resume()
    await once(conn, 'end')
    await expect.poll(() => box.lastWords).toEqual([expect.stringMatching(alert)])
    expect(conn.errored).toBeNull()
  })
})

test('nothing that our PT says holds a host, an address, a path or a key of the bridge', async () => {
  const front = await serve((conn) => {
    conn.once('data', () => conn.end('HTTP/1.1 404 Not Found: /quux\r\nX-Quux: quux\r\n\r\nquux'))
  })
  const said: string[] = []
  const pt = await launchClient({
    exec: [process.execPath, join(root, 'dist/cli/main.js'), 'pt', '--log-level', 'debug'],
    transports: ['webtunnel'],
    stateDir: tempDir(),
    restart: false,
    onEvent: (event) => void said.push(JSON.stringify(event)),
  })
  onTestFinished(async () => void (await pt.stop()))
  const addr = `127.0.0.1:${front.port}`
  const cert = Buffer.alloc(32, 'quux').toString('base64')
  const failures: [Record<string, string>, string][] = [
    [{ url: 'http://quux.example/quux', addr }, 'path'],
    [{ url: 'https://quux.example/quux', addr, servername: 'a.quux,b.quux', cert }, 'tls'],
    [{ url: 'http://quux.invalid/quux' }, 'dns'],
    [{ url: 'http://quux.example/quux', addr: '127.0.0.1:1' }, 'connect'],
    [{ url: 'http://quux.example/quux%' }, 'argument'],
    [{ url: 'https://quux.example/', cert: 'quux', servername: 'qu ux', utls: 'quux', profile: 'quux' }, 'argument'],
  ]
  for (const [args, stage] of failures) {
    const error = await failureOf(pt.connect('webtunnel', '[2001:db8:44::1]:443', { args }))
    expect(error).toMatchObject({ stage })
    said.push(error.message, error.reported ?? '')
  }
  expect(said.length).toBeGreaterThan(failures.length * 3)
  expect(said.join('\n')).not.toMatch(/quux|2001:db8:44|127\.0\.0\.1:1\b/)
  expect(said.join('\n')).not.toContain(addr)
  expect(said.join('\n')).not.toContain(cert)
})

describe('with an upstream proxy no name is looked up', () => {
  /** Every look-up of this process from here to the end of the test. */
  function lookUps(): string[] {
    const seen: string[] = []
    const hook = createHook({
      init(_id, type) {
        if (type === 'GETADDRINFOREQWRAP' || type === 'QUERYWRAP') seen.push(type)
      },
    }).enable()
    onTestFinished(() => void hook.disable())
    return seen
  }

  test('the proxy gets it, and `addr` in its place', async () => {
    const asked: string[] = []
    const proxy = await serve(async (conn) => {
      const request = await acceptSocks(conn)
      asked.push(request.target)
      request.grant()
      conn.once('data', () => {
        conn.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n')
        echo(conn)
      })
    })
    const seen = lookUps()
    const url = `url=http://name-that-nobody-has.example${SECRET}`
    for (const line of [lineOf(url), lineOf(url, 'addr=192.0.2.1:8080')]) {
      await using bridge = await openBridge(line, { proxy: `socks5://127.0.0.1:${proxy.port}` })
      expect(await echoed(await bridge.connect(), 'hello')).toBe('hello')
    }
    expect(asked).toEqual(['name-that-nobody-has.example:80', '192.0.2.1:8080'])
    expect(seen).toEqual([])
  })

  test('a look-up would have been seen: without a proxy there is one', async () => {
    const seen = lookUps()
    const bridge = await openBridge(lineOf(`url=http://name-that-nobody-has.invalid${SECRET}`))
    onTestFinished(() => bridge.close())
    expect(await failureOf(bridge.connect())).toMatchObject({ code: 'PT_CONNECT', stage: 'dns' })
    expect(seen).toContain('GETADDRINFOREQWRAP')
  })
})
