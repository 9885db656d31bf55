/** connectTls beside node:tls as the server. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import type { TlsOptions, TLSSocket } from 'node:tls'
import { createServer } from 'node:tls'
import { listen, readExactly } from 'postern/io'
import type { ConnectTlsOptions, TlsConnection } from 'postern/tls'
import { chainHash, connectTls, TicketStore } from 'postern/tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { endTogether } from '../../src/io/carry/framed.ts'
import { failureOf, timePasses } from '../support.ts'
import { serve } from '../loopback.ts'
import { authority, issue } from './authority.ts'

const host = 'bridge.example'
const { root, leaf } = authority([host])
const server = { key: leaf.keyPem, cert: leaf.pem + root.pem, minVersion: 'TLSv1.3' } as const
const trusted = { servername: host, roots: root.pem } as const

/** A server of node:tls until the test has finished; its port. */
async function tlsServer(options: TlsOptions, use: (conn: TLSSocket) => void): Promise<number> {
  const listener = createServer({ ...server, ...options }, (conn) => {
    conn.on('error', () => undefined)
    use(conn)
  })
  const open = new Set<Socket>()
  listener.on('connection', (conn: Socket) => void open.add(conn)).on('tlsClientError', () => undefined)
  const { port } = await listen(listener, '127.0.0.1', 0)
  onTestFinished(() => {
    for (const conn of open) conn.destroy()
    listener.close()
  })
  return port
}

async function tcp(port: number): Promise<Socket> {
  const conn = connect({ port, host: '127.0.0.1' })
  onTestFinished(() => void conn.destroy())
  await once(conn, 'connect')
  return conn
}

async function secure(port: number, options: Partial<ConnectTlsOptions> = {}): Promise<TlsConnection> {
  const conn = await connectTls(await tcp(port), { ...trusted, ...options })
  onTestFinished(() => void conn.destroy())
  return conn
}

async function echoes(conn: Duplex, words: string): Promise<void> {
  conn.write(words)
  expect(String(await readExactly(conn, words.length))).toBe(words)
}

const echo = (conn: TLSSocket): void => void conn.pipe(conn)
/** Ends when it has been asked: a server of Node that ends at once sends no close_notify. */
const answer = (conn: TLSSocket): void => void conn.once('data', () => conn.end('x'))
const profiles = ['chromium-websocket', 'chromium-page', 'firefox', 'node'] as const

describe.each(profiles)('the profile %s', (profile) => {
  test('carries data both ways and ends with close_notify', async () => {
    const port = await tlsServer({ ALPNProtocols: ['http/1.1'] }, echo)
    const alpn = profile === 'node' ? { alpn: ['http/1.1'] } : {}
    const conn = await secure(port, { profile, ...alpn })
    expect([conn.alpn, conn.resumed, conn.peerCertificate?.raw]).toEqual(['http/1.1', false, leaf.der])
    await echoes(conn, 'hello')
    const back = text(conn)
    conn.end('the last words')
    expect(await back).toBe('the last words')
  })

  test('refuses a certificate for another name, and one of a root that is not trusted', async () => {
    const port = await tlsServer({}, echo)
    for (const options of [{ servername: 'other.example' }, { roots: issue({ subject: 'Test root', ca: true }).pem }]) {
      const error = await failureOf(secure(port, { profile, ...options }))
      expect(error).toMatchObject({ code: 'PT_CERTIFICATE', stage: 'certificate' })
    }
  })

  test('takes a pin in place of roots, and refuses another one', async () => {
    const port = await tlsServer({}, echo)
    const options = { profile, roots: undefined, servername: 'anything.example' }
    await echoes(await secure(port, { ...options, pin: chainHash([leaf.der, root.der]) }), 'pinned')
    const error = await failureOf(secure(port, { ...options, pin: chainHash([leaf.der]) }))
    expect(error).toMatchObject({ code: 'PT_CERTIFICATE', message: expect.stringContaining('pin') as string })
  })
})

describe.each(profiles.slice(0, 3))('with %s', (profile) => {
  test.each(['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'])(
    'a megabyte each way with %s',
    async (ciphers) => {
      const port = await tlsServer({ ciphers }, echo)
      const conn = await secure(port, { profile })
      const bytes = Buffer.alloc(1_000_000, 'postern')
      conn.write(bytes)
      expect((await readExactly(conn, bytes.length)).equals(bytes)).toBe(true)
    },
  )

  test.each(['P-256', 'P-384', 'X25519'])('a server that wants a key of %s', async (ecdhCurve) => {
    await echoes(await secure(await tlsServer({ ecdhCurve }, echo), { profile }), 'retried')
  })

  test.each(['p256', 'p384', 'rsa2048'] as const)('a certificate with a key of %s', async (key) => {
    const other = authority([host], { key })
    const port = await tlsServer({ key: other.leaf.keyPem, cert: other.leaf.pem }, echo)
    await echoes(await secure(port, { profile, roots: other.root.pem }), 'signed')
  })

  test('a ticket resumes the connection once, and so does the next one', async () => {
    const port = await tlsServer({}, answer)
    const tickets = new TicketStore()
    const visit = async (options: Partial<ConnectTlsOptions> = {}): Promise<boolean> => {
      const conn = await secure(port, { profile, tickets, ...options })
      conn.write('?')
      expect(await text(conn)).toBe('x')
      expect(conn.peerCertificate?.raw).toEqual(leaf.der)
      return conn.resumed
    }
    expect([await visit(), await visit(), await visit()]).toEqual([false, true, true])
    // It was verified for one name alone.
    expect(await visit({ verifyName: '*' })).toBe(false)
  })

  test('a ticket and another group: the second hello has a binder of its own', async () => {
    const port = await tlsServer({ ecdhCurve: 'P-384' }, answer)
    const tickets = new TicketStore()
    for (const resumed of [false, true]) {
      const conn = await secure(port, { profile, tickets })
      conn.write('?')
      expect([await text(conn), conn.resumed]).toEqual(['x', resumed])
    }
  })

  test('a server that asks for a certificate gets none, and goes on', async () => {
    const port = await tlsServer({ requestCert: true, rejectUnauthorized: false }, echo)
    await echoes(await secure(port, { profile }), 'nobody')
  })

  test('a server of TLS 1.2 is said to be one', async () => {
    const port = await tlsServer({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }, echo)
    const error = await failureOf(secure(port, { profile }))
    expect(error).toMatchObject({ code: 'PT_TLS', message: 'the server speaks TLS 1.2 and no TLS 1.3' })
  })
})

test('a server that speaks TLS 1.3 and is made to answer with TLS 1.2 is told from one that cannot', async () => {
  const port = await tlsServer({ minVersion: 'TLSv1.2' }, echo)
  const conn = await tcp(port)
  // What is between takes TLS 1.3 out of supported_versions.
  const write = conn.write.bind(conn)
  conn.write = (bytes: Buffer | string): boolean => {
    const at = Buffer.isBuffer(bytes) ? bytes.indexOf(Buffer.from('002b0007', 'hex')) : -1
    if (at !== -1) (bytes as Buffer).writeUInt16BE(0x0a0a, at + 7)
    return write(bytes)
  }
  const error = await failureOf(connectTls(conn, trusted))
  expect(error.message).toBe('the server can speak TLS 1.3 and was made to answer with an older version')
})

test('an alert of the server is named', async () => {
  const port = await tlsServer({ ALPNProtocols: ['imap'] }, echo)
  const error = await failureOf(secure(port))
  expect(error).toMatchObject({
    code: 'PT_TLS',
    message: 'the server ended the connection with the TLS alert no_application_protocol',
  })
})

test('a server that hangs up, one that is silent, and one that is no TLS server are told apart', async () => {
  const closing = await serve((conn) => conn.end())
  expect(await failureOf(secure(closing.port))).toMatchObject({ code: 'PT_TLS', stage: 'closed' })
  const silent = await serve(() => undefined)
  expect(await failureOf(secure(silent.port, { timeout: 50 }))).toMatchObject({ code: 'PT_TIMEOUT', stage: 'timeout' })
  const http = await serve((conn) => conn.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
  expect(await failureOf(secure(http.port))).toMatchObject({
    message: 'the server answered with what is no TLS record',
  })
})

test('an aborted signal ends the handshake with its reason and closes the connection', async () => {
  const silent = await serve(() => undefined)
  const conn = await tcp(silent.port)
  const reason = new Error('enough')
  const shaking = connectTls(conn, { ...trusted, signal: AbortSignal.timeout(0) })
  await failureOf(shaking)
  expect(conn.destroyed).toBe(true)
  await expect(connectTls(await tcp(silent.port), { ...trusted, signal: AbortSignal.abort(reason) })).rejects.toBe(
    reason,
  )
})

test('an end without close_notify is an error after the data that came before', async () => {
  const sockets: Socket[] = []
  const listener = createServer(server, (conn) => conn.write('half a mess', () => sockets[0]!.end()))
  listener.on('connection', (conn: Socket) => void sockets.push(conn))
  const { port } = await listen(listener, '127.0.0.1', 0)
  onTestFinished(() => void listener.close())
  const conn = await secure(port)
  expect(String(await readExactly(conn, 11))).toBe('half a mess')
  expect(await failureOf(text(conn))).toMatchObject({ code: 'PT_CLOSED' })
})

test('a reader that does not read stops the server, and a server that does not read stops the writer', async () => {
  const chunk = Buffer.alloc(65_536)
  let written = 0
  const port = await tlsServer({}, (conn) => {
    const go = (): void => {
      while (written < 64_000_000) {
        written += chunk.length
        if (!conn.write(chunk)) return
      }
    }
    conn.on('drain', go)
    go()
  })
  const conn = await secure(port)
  conn.once('readable', () => undefined)
  await settled(() => written)
  expect(written).toBeLessThan(32_000_000)
  let ours = 0
  conn.on('drain', () => conn.write(chunk, () => (ours += chunk.length)))
  conn.write(chunk, () => (ours += chunk.length))
  await settled(() => ours)
  expect(ours).toBeLessThan(32_000_000)
})

/** Resolves once a count has stood still for a while. */
async function settled(count: () => number): Promise<void> {
  await expect
    .poll(
      async () => {
        const before = count()
        await timePasses(100)
        return before > 0 && count() === before
      },
      { timeout: 20_000 },
    )
    .toBe(true)
}

test('a reader that takes bytes by read() and not by events gets a megabyte to its end', async () => {
  const port = await tlsServer(server, (conn) => void conn.end(Buffer.alloc(1_000_000, 7)))
  const conn = await secure(port)
  let size = 0
  for await (const chunk of conn.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) size += chunk.length
  expect(size).toBe(1_000_000)
})

test.each(['reads', 'does not read'])(
  'after endTogether() the end of an application that %s closes the connection, whatever the server does',
  async (how) => {
    const received: Promise<string>[] = []
    // TLS alone ends here, and the server goes on sending.
    const port = await tlsServer({ ...server, allowHalfOpen: true }, (conn) => {
      received.push(text(conn))
      conn.write('more')
    })
    const under = await tcp(port)
    const conn = await connectTls(under, trusted)
    endTogether(conn)
    if (how === 'reads') conn.resume()
    const closed = once(under, 'close')
    conn.end('the last words')
    await closed
    expect(await received[0]).toBe('the last words')
    conn.resume()
    await finished(conn)
    expect(conn.errored).toBeNull()
  },
)

test('the options are checked', async () => {
  const conn = await tcp((await serve(() => undefined)).port)
  const wrong: [unknown, string][] = [
    [{}, 'servername'],
    [{ servername: 'a b' }, 'servername'],
    [{ servername: host, pin: Buffer.alloc(31) }, 'pin'],
    [{ servername: host, roots: 'x' }, 'roots'],
    [{ servername: host, profile: 'opera' }, 'profile'],
    [{ servername: host, tickets: {} }, 'tickets'],
    [{ servername: host, insecure: true }, 'insecure'],
  ]
  for (const [options, name] of wrong) {
    const error = await failureOf(connectTls(conn, options as ConnectTlsOptions))
    expect(error).toMatchObject({ code: 'PT_OPTION', message: expect.stringContaining(name) as string })
  }
})
