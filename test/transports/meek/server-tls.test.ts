/** The server of meek with its own certificate: HTTP/2 and HTTP/1.1 inside of TLS. */
import type { EventEmitter } from 'node:events'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { connect as connectHttp2, constants } from 'node:http2'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { readExactly } from 'postern/io'
import { expect, onTestFinished, test } from 'vitest'
import type { ServerLimits } from '../../../src/transports/meek/server-limits.ts'
import { open, readAll } from '../../pt/support.ts'
import { tempDir } from '../../support.ts'
import { authority } from '../../tls/authority.ts'
import type { Served } from './served.ts'
import { heard, ID, poll, serveMeek } from './served.ts'

const { root, leaf } = authority(['meek.example'])

async function serveTls(limits: Partial<ServerLimits> = {}, args: Record<string, string> = {}): Promise<Served> {
  const dir = tempDir()
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  writeFileSync(cert, leaf.pem)
  writeFileSync(key, leaf.keyPem)
  return await serveMeek(limits, { 'tls-cert': cert, 'tls-key': key, ...args })
}

async function secure(port: number, alpn?: string): Promise<Duplex> {
  const options = alpn === undefined ? {} : { ALPNProtocols: [alpn] }
  const conn = connectTls({ host: '127.0.0.1', port, ca: root.pem, servername: 'meek.example', ...options })
  onTestFinished(() => void conn.destroy())
  await once(conn, 'secureConnect')
  return conn.on('error', () => undefined)
}

async function http2(port: number): Promise<ClientHttp2Session> {
  const conn = await secure(port, 'h2')
  const session = connectHttp2('https://meek.example', { createConnection: () => conn })
  onTestFinished(() => session.destroy())
  return session.on('error', () => undefined)
}

function request(session: ClientHttp2Session, body: string, fields: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({ ':method': 'POST', ':path': '/', 'x-session-id': ID, ...fields })
  stream.on('error', () => undefined)
  if (body === '') stream.end()
  else stream.end(body)
  return stream
}

/** Unlike once(), it resolves after an error too. */
async function closed(emitter: EventEmitter): Promise<void> {
  await new Promise((resolve) => emitter.once('close', resolve))
}

async function ask(
  session: ClientHttp2Session,
  body: string,
  fields?: Record<string, string>,
): Promise<[number, string]> {
  const stream = request(session, body, fields)
  const [head] = (await once(stream, 'response')) as [{ ':status'?: number }]
  return [head[':status'] ?? 0, String(await buffer(stream))]
}

test.each([undefined, 'http/1.1'])('HTTP/1.1 is spoken if the client offers %s', async (alpn) => {
  const server = await serveTls()
  const conn = await secure(server.port, alpn)
  conn.write(poll('up'))
  expect((await heard(conn)).status).toBe(200)
  const { stream } = await server.next()
  expect(String(await readExactly(stream, 2))).toBe('up')
  stream.end('down')
  conn.write(poll())
  expect(String((await heard(conn)).body)).toBe('down')
  conn.write(poll())
  expect(String(await buffer(conn))).toContain('Content-Length: 65537\r\n')
})

test('a request that comes while the answer before it is on its way is answered, inside of TLS too', async () => {
  const [folder, page, body] = [tempDir(), Buffer.alloc(8 << 20, 'p'), Buffer.alloc(65_536, 'b')]
  writeFileSync(join(folder, 'page'), page)
  const server = await serveTls({}, { decoy: folder })
  const conn = await secure(server.port)
  conn.write('GET /page HTTP/1.1\r\nHost: meek.example\r\n\r\n')
  const first = await readExactly(conn, 1_000)
  // The rest of the page waits in the server, as nobody reads it.
  conn.write(poll(body))
  conn.unshift(first)
  expect((await heard(conn)).body.equals(page)).toBe(true)
  expect((await heard(conn)).status).toBe(200)
  const { stream } = await server.next()
  expect((await readExactly(stream, body.length)).equals(body)).toBe(true)
})

test('HTTP/2 is spoken if the client offers it, and carries a session', async () => {
  const server = await serveTls()
  const session = await http2(server.port)
  expect(await ask(session, 'up')).toEqual([200, ''])
  const { stream } = await server.next()
  expect(String(await readExactly(stream, 2))).toBe('up')
  const bytes = Buffer.alloc(200_000, 'x')
  stream.write(bytes)
  let come = ''
  while (come.length < bytes.length) come += (await ask(session, ''))[1]
  expect(come).toBe(String(bytes))
})

test('the end of a session resets its stream, and the HTTP/2 connection goes on', async () => {
  const server = await serveTls()
  const session = await http2(server.port)
  await ask(session, '')
  const { stream } = await server.next()
  stream.destroy()
  const last = request(session, 'lost')
  const [head] = (await once(last, 'response')) as [Record<string, unknown>]
  expect([head[':status'], head['content-length']]).toEqual([200, '65537'])
  await closed(last.resume())
  expect(last.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR)
  expect(await ask(session, '', { 'x-session-id': 'another-id' })).toEqual([200, ''])
})

test('strangers get the decoy and 400 by HTTP/2 too', async () => {
  const server = await serveTls()
  const session = await http2(server.port)
  const [status, page] = await ask(session, '', { ':method': 'GET' })
  expect([status, page]).toEqual([404, expect.stringContaining('<center>nginx</center>')])
  expect((await ask(session, '', { 'x-session-id': 'short' }))[0]).toBe(400)
  expect((await ask(session, 'x'.repeat(65_537)))[0]).toBe(413)
})

test('two requests of one id in one HTTP/2 connection are answered one after the other', async () => {
  const server = await serveTls({ hold: 600_000 })
  const session = await http2(server.port)
  await ask(session, '')
  const { stream } = await server.next()
  const [one, two] = [request(session, 'one'), request(session, 'two')]
  expect(String(await readExactly(stream, 3))).toBe('one')
  stream.write('first')
  expect(String(await buffer(one))).toBe('first')
  expect(String(await readExactly(stream, 3))).toBe('two')
  stream.write('second')
  expect(String(await buffer(two))).toBe('second')
})

/** A frame of HTTP/2 (RFC 9113, section 4.1). */
function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** The types of the frames that come, up to one of this type. */
async function typesUpTo(conn: Duplex, last: number): Promise<number[]> {
  const types: number[] = []
  while (types.at(-1) !== last) {
    const head = await readExactly(conn, 9)
    await readExactly(conn, head.readUIntBE(0, 3))
    types.push(head.readUInt8(3))
  }
  return types
}

test('streams that are reset at once, again and again, are told to go away, and nothing else ends', async () => {
  const server = await serveTls()
  const conn = await secure(server.port, 'h2')
  const [HEADERS, RESET, SETTINGS, GOAWAY] = [1, 3, 4, 7]
  // POST, https, /, and the end of head and stream; then CANCEL.
  const head = Buffer.of(0x83, 0x87, 0x84, 0x41, 1, 0x68)
  const resets = Array.from({ length: 3_000 }, (_, i) =>
    Buffer.concat([frame(HEADERS, 5, 2 * i + 1, head), frame(RESET, 0, 2 * i + 1, Buffer.of(0, 0, 0, 8))]),
  )
  const preface = Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(SETTINGS, 0, 0, Buffer.alloc(0)),
  ])
  // nghttp2 takes 1,000 in a burst, and 33 more in each second.
  conn.write(Buffer.concat([preface, ...resets]))
  // A reset that comes in another read than its request may find an answer on its way.
  expect((await typesUpTo(conn, GOAWAY)).filter((type) => type === HEADERS).length).toBeLessThan(100)
  const other = await http2(server.port)
  expect(await ask(other, '', { 'x-session-id': 'another-id' })).toEqual([200, ''])
})

test('a client that does not speak TLS, or stops in the middle of it, gets no session and is closed in time', async () => {
  const server = await serveTls({ firstRequest: 100 })
  for (const bytes of [poll(), Buffer.of(22, 3, 1), Buffer.alloc(0)]) {
    const conn = await open(server.port)
    conn.write(bytes)
    await readAll(conn)
    conn.end()
  }
  await expect.poll(() => server.connections.count).toMatchObject({ open: 0, established: 0 })
  expect(server.came).toEqual([])
})

test('a connection that is silent after its TLS handshake is closed in time', async () => {
  const server = await serveTls({ firstRequest: 500 })
  for (const alpn of ['h2', 'http/1.1']) await once((await secure(server.port, alpn)).resume(), 'close')
  await expect.poll(() => server.connections.count).toMatchObject({ open: 0, failed: 2 })
})
