/** webtunnel's server without a front, and with TLS of its own. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { connect as connectNodeTls } from 'node:tls'
import { connectTls } from 'postern/tls'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { ArgsInit } from '../../../src/ipc/index.ts'
import { Args, formatAddress } from '../../../src/ipc/index.ts'
import { readExactly } from '../../../src/io/read.ts'
import { listen } from '../../../src/io/tcp/listen.ts'
import { acceptTcp, listenerOptions } from '../../../src/io/tcp/tcp.ts'
import { Tap } from '../../../src/testing/tap.ts'
import { prepare } from '../../../src/sessions/prepare.ts'
import type { Server } from '../../../src/transport.ts'
import { checkArguments } from '../../../src/transports/arguments.ts'
import { webtunnel } from '../../../src/transports/webtunnel/index.ts'
import { drain, socketPair, untilFinished } from '../../io/streams.ts'
import { serverOptions, streamOf } from '../../launch-options.ts'
import { tempDir } from '../../support.ts'
import { authority } from '../../tls/authority.ts'
import { echo, listening } from '../harness.ts'

const url = 'https://bridge.example/secret'

async function launch(options: ArgsInit = { url }): Promise<Server> {
  return await webtunnel.server(serverOptions({ stateDir: '/nonexistent', args: Args.from(options) }))
}

async function dial(address: string): Promise<Duplex> {
  const [host = '', port] = address.split(':')
  const conn = untilFinished(connect({ host, port: Number(port), allowHalfOpen: true }))
  await once(conn, 'connect')
  return conn
}

/** What the server answers to `text`, which the client ends. */
async function answer(address: string, text: string): Promise<string> {
  const conn = await dial(address)
  const received = drain(conn)
  conn.end(text, 'latin1')
  return (await received).toString('latin1')
}

const lyrebird =
  'GET /secret HTTP/1.1\r\nHost: bridge.example\r\nUser-Agent: Go-http-client/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'
const accepted = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'

describe('what is announced', () => {
  test('the address is that of webtunnel-server for the same url, and the arguments are sorted like its own', async () => {
    const { address, args } = await launch({ url, servername: 'a.example,b.example', addr: '192.0.2.1:443' })
    expect(formatAddress(address!)).toBe('[2001:db8:3997:22f3:1a74:339f:b99c:49f3]:443')
    expect([...Args.from(args!)]).toEqual([
      ['addr', '192.0.2.1:443'],
      ['servername', 'a.example,b.example'],
      ['url', url],
      ['ver', '0.0.7'],
    ])
  })

  test('options of the server alone, and what no client knows, are not in the line; a version is not doubled', async () => {
    const dir = tempDir()
    const { leaf } = authority(['bridge.example'])
    writeFileSync(join(dir, 'cert.pem'), leaf.pem)
    writeFileSync(join(dir, 'key.pem'), leaf.keyPem)
    const { args } = await launch({
      url,
      ver: '9.9',
      decoy: 'caddy',
      trust: '10.0.0.0/8',
      path: '/other',
      'tls-cert': join(dir, 'cert.pem'),
      'tls-key': join(dir, 'key.pem'),
      'tls-kye': '/etc/private.pem',
    })
    expect([...Args.from(args!)]).toEqual([
      ['url', url],
      ['ver', '9.9'],
    ])
  })
})

describe('the options', () => {
  const wrong: readonly (readonly [options: Record<string, string>, key: string, message: string])[] = [
    [{}, 'url', 'it is missing'],
    [{ url: 'bridge.example/secret' }, 'url', 'it is no URL of the form https://host/path'],
    [{ url: 'ftp://bridge.example/secret' }, 'url', 'it is no URL of the form https://host/path'],
    [
      { url: 'https://bridge.example/é' },
      'url',
      'it holds a blank, or a character that is not ASCII, which no bridge line can carry',
    ],
    [
      { url, servername: 'a.example, b.example' },
      'servername',
      'it holds a blank, or a character that is not ASCII, which no bridge line can carry',
    ],
    [{ url, decoy: 'iis' }, 'decoy', 'it is neither nginx, caddy, haproxy nor the absolute path of a folder'],
    [{ url, trust: 'me' }, 'trust', 'it is no list of IP addresses and subnets, such as 10.0.0.0/8,192.0.2.1'],
    [{ url, path: 'secret' }, 'path', 'it is no path of printable ASCII that begins with /'],
    [{ url, 'tls-cert': '/c.pem' }, 'tls-key', 'it is missing, although there is a tls-cert'],
    [{ url, 'tls-key': '/k.pem' }, 'tls-cert', 'it is missing, although there is a tls-key'],
    [{ url, 'tls-cert': 'c.pem', 'tls-key': '/k.pem' }, 'tls-cert', 'it is no absolute path'],
  ]

  test.each(wrong)(
    '%j: what is wrong is said of its argument, and keeps the server from launching',
    async (options, key, message) => {
      const findings = checkArguments('webtunnel', Args.from(options), 'server') ?? []
      expect(findings).toContainEqual({ severity: 'error', key, message })
      await expect(launch(options)).rejects.toMatchObject({ code: 'PT_ARGS' })
    },
  )

  const strange: readonly (readonly [options: Record<string, string>, key: string, message: RegExp])[] = [
    [{ url: 'https://bridge.example' }, 'url', /^it has no path/],
    [{ url: 'https://bridge.example//a/b' }, 'url', /two slashes/],
    [{ url: 'https://[2001:db8::1]/secret' }, 'url', /lyrebird cannot connect/],
    [{ url: 'http://bridge.example/secret' }, 'url', /without TLS/],
    [{ url, 'tls-kye': '/k.pem' }, 'tls-kye', /^webtunnel has no argument of this name; is tls-key meant\?$/],
    [{ url, cert: Buffer.alloc(32, 7).toString('base64') }, 'cert', /renews/],
  ]

  test.each(strange)('%j: what is strange is a warning', async (options, key, message) => {
    const findings = checkArguments('webtunnel', Args.from(options), 'server') ?? []
    expect(findings).toContainEqual({ severity: 'warning', key, message: expect.stringMatching(message) })
    await expect(launch(options)).resolves.toBeDefined()
  })

  test('a bridge as most are has no findings', () => {
    expect(checkArguments('webtunnel', Args.from({ url, decoy: 'nginx/1.22.1', ver: '0.0.7' }), 'server')).toEqual([])
  })
})

describe('the request', () => {
  test("lyrebird's is answered byte for byte as by webtunnel-server, and by nothing more", async () => {
    const address = await listening(await launch(), echo)
    expect(await answer(address, `${lyrebird}hello`)).toBe(`${accepted}hello`)
  })

  test('a key of a browser is answered', async () => {
    const address = await listening(await launch(), echo)
    const browser = `GET /secret HTTP/1.1\r\nHost: bridge.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
    // RFC 6455, section 1.3.
    expect(await answer(address, browser)).toBe(
      `${accepted.slice(0, -2)}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`,
    )
  })

  const asks: readonly (readonly [request: string, status: number])[] = [
    ['GET /secret HTTP/1.1|Host: h|Connection: keep-alive, Upgrade|Upgrade: WebSocket', 101],
    ['GET /secret HTTP/1.1|Host: h|Connection: keep-alive|Connection: upgrade|Upgrade: foo, websocket', 101],
    ['GET /secret HTTP/1.1|Connection: upgrade|Upgrade: websocket', 101],
    ['GET /secret HTTP/1.0|Host: h|Connection: upgrade|Upgrade: websocket', 101],
    ['GET /secret?x=/y HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket', 101],
    ['GET /%73ecret HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket', 101],
    ['GET http://h/secret HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket', 101],
    ['GET /secret HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket|Content-Length: 0', 101],
    ['GET /secret HTTP/1.1|Host: h', 404],
    ['GET /secret HTTP/1.1|Host: h|Upgrade: websocket', 404],
    ['GET /secret HTTP/1.1|Host: h|Connection: upgrade', 404],
    ['GET /secret HTTP/1.1|Host: h|Connection: upgrades|Upgrade: websocket', 404],
    ['GET /secret HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websockets', 404],
    ['POST /secret HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket', 404],
    ['HEAD /secret HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket', 404],
    ['GET /secret/ HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket', 404],
    ['GET /Secret HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket', 404],
    ['GET /secre HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket', 404],
    ['GET / HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket', 404],
    ['GET /secret HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket|Content-Length: 5', 404],
    ['GET /secret HTTP/1.1|Host: h|Connection: upgrade|Upgrade: websocket|Transfer-Encoding: chunked', 404],
  ]

  test('who asks for the tunnel, and who does not, is the same for whatever front', async () => {
    const address = await listening(await launch(), echo)
    const statuses = await Promise.all(
      asks.map(async ([request]) => {
        const text = await answer(address, `${request.replaceAll('|', '\r\n')}\r\n\r\n`)
        return [request, Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])]
      }),
    )
    expect(statuses).toEqual(asks)
  })

  test('the path that a front makes of it may be another one than that of the url', async () => {
    const address = await listening(await launch({ url, path: '/' }), echo)
    expect(await answer(address, lyrebird.replace('/secret', '/'))).toBe(accepted)
    expect(await answer(address, lyrebird)).toMatch(/^HTTP\/1\.1 404 /)
  })

  test('an escape in the url is the same path as its character', async () => {
    const address = await listening(await launch({ url: 'https://bridge.example/a%2Fb%20c' }), echo)
    expect(await answer(address, lyrebird.replace('/secret', '/a%2fb%20c'))).toBe(accepted)
    expect(await answer(address, lyrebird.replace('/secret', '/a%2Fb'))).toMatch(/^HTTP\/1\.1 404 /)
  })

  test('the answer goes out in one piece', async () => {
    const server = await launch()
    const writes: string[] = []
    const [near, far] = await socketPair()
    const write = far.write.bind(far)
    far.write = (bytes: Uint8Array | string) => {
      writes.push(String(bytes))
      return write(bytes)
    }
    near.write(lyrebird)
    const session = { conn: far, signal: new AbortController().signal, log: () => undefined, status: () => undefined }
    await server.accept(session)
    expect(writes).toEqual([accepted])
  })

  test('the address of the client is what the front has added', async () => {
    const server = await launch()
    const [near, far] = await socketPair()
    near.write(lyrebird.replace('User-Agent', 'X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\nUser-Agent'))
    const session = { conn: far, signal: new AbortController().signal, log: () => undefined, status: () => undefined }
    expect(await server.accept(session)).toMatchObject({ userAddr: '192.0.2.7' })
  })
})

describe('TLS of its own', () => {
  const { root, leaf } = authority(['bridge.example'])

  interface Secure {
    readonly server: Server
    readonly address: string
    readonly write: (pem: string, keyPem: string) => void
  }

  async function secure(options: Record<string, string> = {}): Promise<Secure> {
    const dir = tempDir()
    const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
    const write = (pem: string, keyPem: string): void => {
      writeFileSync(cert, pem)
      writeFileSync(key, keyPem)
    }
    write(leaf.pem, leaf.keyPem)
    const server = await launch({ url, 'tls-cert': cert, 'tls-key': key, ...options })
    return { server, address: await listening(server, echo), write }
  }

  async function shake(address: string, options: ConnectionOptions): Promise<TLSSocket> {
    const [host, port] = address.split(':')
    const socket = connectNodeTls({ host, port: Number(port), servername: 'bridge.example', ca: root.pem, ...options })
    onTestFinished(() => void socket.destroy())
    await once(socket, 'secureConnect')
    return socket
  }

  test('a client with the ClientHello of a browser gets the tunnel, and its end with close_notify', async () => {
    const { address } = await secure()
    const conn = await connectTls(await dial(address), {
      servername: 'bridge.example',
      profile: 'chromium-websocket',
      roots: root.pem,
    })
    expect(conn.alpn).toBe('http/1.1')
    conn.write(`${lyrebird}hello`)
    expect(String(await readExactly(conn, accepted.length + 5))).toBe(`${accepted}hello`)
    // Without close_notify this stream would fail.
    const rest = drain(conn)
    conn.end('and the end')
    expect(String(await rest)).toBe('and the end')
  })

  test('protocols are agreed to as by nginx without HTTP/2', async () => {
    const { address } = await secure()
    expect((await shake(address, { ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol).toBe('http/1.1')
    expect((await shake(address, {})).alpnProtocol).toBe(false)
    await expect(shake(address, { ALPNProtocols: ['h2'] })).rejects.toThrow(/no application protocol/i)
  })

  test('a client that comes again resumes its session', async () => {
    const { address } = await secure()
    const socket = await shake(address, {})
    const ticket = once(socket, 'session') as Promise<[Buffer]>
    socket.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    const [session] = await ticket
    expect((await shake(address, { session })).isSessionReused()).toBe(true)
  })

  test('a visitor with TLS sees the decoy, on a connection that stays open', async () => {
    const { address } = await secure()
    const socket = await shake(address, {})
    socket.write('GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    const text = String(await drain(socket))
    expect(text.match(/HTTP\/1\.1 404 Not Found/g)).toHaveLength(2)
  })

  test('a visitor without TLS is told so as by nginx', async () => {
    const { address } = await secure()
    const text = await answer(address, 'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nServer: nginx\r\n/)
    expect(text).toContain('<center>The plain HTTP request was sent to HTTPS port</center>')
    expect(await answer(address, 'SSH-2.0-x\r\n')).toContain('<title>400 The plain HTTP request')
  })

  test('what looks like TLS and is none ends the connection, and the next one is served', async () => {
    const { address } = await secure()
    await answer(address, '\x16\x03\x01\x00\x05hello')
    await answer(address, '\x16')
    expect((await shake(address, {})).authorized).toBe(true)
  })

  test('a renewed certificate is what the next client sees', async () => {
    const { address, write } = await secure()
    const serialOf = async (): Promise<string> =>
      (await shake(address, { rejectUnauthorized: false })).getPeerCertificate().serialNumber
    const before = await serialOf()
    const renewed = authority(['bridge.example']).leaf
    write(renewed.pem, renewed.keyPem)
    expect(await serialOf()).toBe(before)
    const later = performance.now() + 5_000
    vi.spyOn(performance, 'now').mockReturnValue(later)
    onTestFinished(() => void vi.restoreAllMocks())
    expect(await serialOf()).not.toBe(before)
  })

  test('clients that vanish at any moment, in the handshake and after it, end their own connections alone', async () => {
    const listener = createServer(listenerOptions)
    const { server } = await secure()
    const { port } = await listen(listener, '127.0.0.1', 0)
    onTestFinished(() => void listener.close())
    let open = 0
    acceptTcp(listener, (conn) => {
      open++
      prepare(conn).on('close', () => open--)
      const session = { conn, signal: new AbortController().signal, log: () => undefined, status: () => undefined }
      server.accept(session).then(
        (accepted) => {
          const stream = streamOf(accepted).on('error', () => undefined)
          stream.on('close', () => conn.destroy()).pipe(stream)
        },
        () => conn.destroy(),
      )
    })
    const ours = `127.0.0.1:${port}`
    const vanish = async (after: number): Promise<void> => {
      const raw = (await dial(ours)) as Socket
      const wire = new Tap(raw, { cut: { after, by: 'reset' }, onCrash: () => undefined }).on('error', () => undefined)
      const socket = connectNodeTls({ socket: wire, rejectUnauthorized: false }).on('error', () => undefined)
      socket.write(`${lyrebird}${'x'.repeat(200_000)}`)
      socket.resume()
      if (!raw.destroyed) await once(raw, 'close')
    }
    await Promise.all(Array.from({ length: 120 }, (_, at) => vanish(at * 30)))
    await expect.poll(() => open).toBe(0)
    const conn = await shake(ours, {})
    conn.write(`${lyrebird}hello`)
    expect(String(await readExactly(conn, accepted.length + 5))).toBe(`${accepted}hello`)
  })
})
