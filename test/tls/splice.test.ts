/** A TLS connection whose bytes are carried without streams: splice() takes the stream of connectTls apart. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { createServer } from 'node:tls'
import { listen, readExactly } from 'postern/io'
import { connectTls } from 'postern/tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { splice } from '../../src/io/carry/splice.ts'
import type { TcpConn } from '../../src/io/tcp/channel.ts'
import { openTcp } from '../../src/io/tcp/tcp.ts'
import { drain, socketPair } from '../io/streams.ts'
import { failureOf } from '../support.ts'
import { authority } from './authority.ts'

const host = 'bridge.example'
const { root, leaf } = authority([host])

interface Ends {
  /** The application's own end, which ends when the other one has ended, unless the test ends it before. */
  readonly app: TcpConn
  /** The end of the application's connection that is spliced. */
  readonly local: TcpConn
  readonly port: number
  /** The server's end of TLS, and of TCP under it. */
  readonly server: Promise<TLSSocket>
  readonly raw: Promise<Socket>
}

async function ends(): Promise<Ends> {
  const listener = createServer({ key: leaf.keyPem, cert: leaf.pem, minVersion: 'TLSv1.3', allowHalfOpen: true })
  const raw = once(listener, 'connection').then(([conn]) => conn as Socket)
  const server = once(listener, 'secureConnection').then(([conn]) => (conn as TLSSocket).on('error', () => undefined))
  const { port } = await listen(listener, '127.0.0.1', 0)
  const [app, local] = await socketPair()
  app.once('end', () => app.end())
  onTestFinished(async () => {
    listener.close()
    app.destroy()
    ;(await raw).destroy()
  })
  return { app, local, port, server, raw }
}

const kinds: readonly (readonly [string, (port: number) => Promise<TcpConn>])[] = [
  [
    'net.Socket',
    async (port) => {
      const conn = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      await once(conn, 'connect')
      return conn
    },
  ],
  [
    'a PT’s own sockets',
    async (port) =>
      await new Promise((connected, failed) => openTcp({ host: '127.0.0.1', port }, { connected, failed })),
  ],
]

describe.each(kinds)('over %s', (_name, dial) => {
  const secure = async (port: number) => await connectTls(await dial(port), { servername: host, roots: root.pem })

  test('five megabytes each way arrive whole, and each end is passed on', async () => {
    const { app, local, port, server } = await ends()
    const done = splice(local, await secure(port), { halfOpen: true })
    expect(done).toBeDefined()
    const bytes = randomBytes(5_000_000)
    const far = await server
    app.end(bytes)
    expect((await drain(far)).equals(bytes)).toBe(true)
    far.end(bytes)
    expect((await drain(app)).equals(bytes)).toBe(true)
    expect(await done).toEqual({ fromA: bytes.length, fromB: bytes.length })
  })

  test('after streams have carried the first words, in both directions', async () => {
    const { app, local, port, server } = await ends()
    const conn = await secure(port)
    const far = await server
    conn.write('ping')
    expect(String(await readExactly(far, 4))).toBe('ping')
    far.write('pong')
    expect(String(await readExactly(conn, 4))).toBe('pong')
    const done = splice(local, conn)
    expect(done).toBeDefined()
    app.write('and on')
    expect(String(await readExactly(far, 6))).toBe('and on')
    far.end('the last words')
    expect(String(await drain(app))).toBe('the last words')
    await done
  })

  test('what was decoded and not read yet is not lost: then the streams carry on', async () => {
    const { local, port, server } = await ends()
    const conn = await secure(port)
    ;(await server).write('surplus')
    conn.unshift(await readExactly(conn, 3))
    expect(splice(local, conn)).toBeUndefined()
    expect(String(await readExactly(conn, 7))).toBe('surplus')
  })

  test('the first end of the application is close_notify to the server, and then the end of TCP', async () => {
    const { app, local, port, server, raw } = await ends()
    const conn = await secure(port)
    const done = splice(local, conn, { wire: conn })
    const far = await server
    app.end('bye')
    // Without close_notify this would be an error.
    expect(String(await drain(far))).toBe('bye')
    far.end()
    await Promise.all([done, once((await raw).resume(), 'close')])
  })

  test('close_notify of the server is the end of the application, though TCP stays open', async () => {
    const { app, local, port, server } = await ends()
    const conn = await secure(port)
    const done = splice(local, conn, { wire: conn })
    // A server of Node that ends at once sends no close_notify.
    app.write('ping')
    const far = await server
    await readExactly(far, 4)
    far.end('the last words')
    expect(String(await drain(app))).toBe('the last words')
    await done
  })

  test('an end of TCP alone is an error', async () => {
    const { app, local, port, server, raw } = await ends()
    const conn = await secure(port)
    const done = splice(local, conn, { wire: conn })!
    ;(await server).write('half a mess', () => void raw.then((one) => one.destroy()))
    app.on('error', () => undefined).resume()
    expect(await failureOf(done)).toMatchObject({ code: 'PT_CLOSED' })
  })

  test('a record that was altered ends both, and the server is told why', async () => {
    const { app, local, port, server, raw } = await ends()
    const conn = await secure(port)
    const done = splice(local, conn, { wire: conn })!
    app.on('error', () => undefined).resume()
    const alert = once(await server, 'error')
    ;(await raw).write(Buffer.concat([Buffer.from('1703030020', 'hex'), Buffer.alloc(32)]))
    expect((await failureOf(done)).message).toContain('altered on the way')
    // Before OpenSSL 4 the name of the alert has SSLV3 in it.
    expect(((await alert)[0] as NodeJS.ErrnoException).code).toMatch(/_ALERT_BAD_RECORD_MAC$/)
  })
})
