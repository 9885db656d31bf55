import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { ExtOrPortConnection, ExtOrPortOptions, ExtOrPortServer } from 'postern/extor'
import { connectExtOrPort, encodeFrame, formatCookie, readCookieFile, serveExtOrPort } from 'postern/extor'
import { readExactly } from 'postern/io'
import { expect, onTestFinished, test } from 'vitest'
import { drain } from '../io/streams.ts'
import { tempDir, timePasses } from '../support.ts'
import { cookie, playPt } from './peer.ts'
import { shows } from '../shows.ts'

interface Served {
  readonly server: ExtOrPortServer
  /** What was handed over, in order. */
  readonly next: () => Promise<ExtOrPortConnection>
  readonly handedOver: ExtOrPortConnection[]
  readonly errors: Error[]
  readonly nextError: () => Promise<Error>
}

async function serve(options: Partial<ExtOrPortOptions> = {}): Promise<Served> {
  const handedOver: ExtOrPortConnection[] = []
  const errors: Error[] = []
  const events = new EventTarget()
  const server = await serveExtOrPort({
    cookieFile: join(tempDir(), 'cookie'),
    onConnection: (connection) => {
      handedOver.push(connection)
      events.dispatchEvent(new Event('connection'))
    },
    onError: (error) => {
      errors.push(error)
      events.dispatchEvent(new Event('error'))
    },
    ...options,
  })
  onTestFinished(() => server.close())
  const nth = <T>(list: T[], type: string) => {
    let taken = 0
    return async (): Promise<T> => {
      const index = taken++
      while (list.length <= index)
        await new Promise((resolve) => events.addEventListener(type, resolve, { once: true }))
      return list[index]!
    }
  }
  return { server, handedOver, errors, next: nth(handedOver, 'connection'), nextError: nth(errors, 'error') }
}

function dial({ address }: ExtOrPortServer): Socket {
  const conn = connect({ ...address, allowHalfOpen: true, noDelay: true })
  conn.on('error', () => {})
  onTestFinished(() => void conn.destroy())
  return conn
}

test('EXT-3, SENV-11: an application has each connection with its transport and the address of its client', async () => {
  const { server, next } = await serve()
  for (const [userAddr, transport, host, port] of [
    ['198.51.100.7:5678', 'obfs4', '198.51.100.7', 5678],
    ['[2001:db8::7]:1', 'rot_by_N', '2001:db8::7', 1],
  ] as const) {
    const conn = dial(server)
    await connectExtOrPort(conn, { cookieFile: server.cookieFile, transport, userAddr })
    const accepted = await next()
    expect(accepted).toMatchObject({ transport, userAddr: { host, port } })
    shows('EXT-3')
    conn.end('request')
    expect(String(await drain(accepted.conn))).toBe('request')
    accepted.conn.end('answer to a half-closed connection')
    expect(String(await drain(conn))).toBe('answer to a half-closed connection')
  }
})

test('EXT-3: a PT that says nothing of its client is accepted', async () => {
  const { server, next } = await serve()
  await connectExtOrPort(dial(server), { cookieFile: server.cookieFile })
  expect(await next()).toMatchObject({ transport: undefined, userAddr: undefined })
})

test('EXT-2: bytes right behind OKAY are the application’s', async () => {
  const { server, next } = await serve({ cookie })
  const conn = dial(server)
  await playPt(conn)
  await readExactly(conn, 4)
  conn.end('surplus')
  expect(String(await drain((await next()).conn))).toBe('surplus')
})

test('EXT-3: the handshake succeeds byte by byte; unknown commands are skipped, and a second TRANSPORT or USERADDR replaces the first', async () => {
  const { server, next } = await serve({ cookie })
  const introduction = Buffer.concat([
    encodeFrame(0x0002, 'first'),
    encodeFrame(0x0001, '1.2.3.4:5'),
    encodeFrame(0x7777, 'unknown'),
    encodeFrame(0x0001, '5.6.7.8'),
    encodeFrame(0x0002, 'second'),
    encodeFrame(0x0000, 'ignored'),
  ])
  const conn = dial(server)
  await playPt(conn, { introduction, dribble: true })
  expect(await readExactly(conn, 4)).toEqual(encodeFrame(0x1000))
  expect(await next()).toMatchObject({ transport: 'second', userAddr: { host: '5.6.7.8', port: 0 } })
})

test('EXT-1: a wrong hash is answered with 00 and the end of the connection', async () => {
  const { server, nextError, handedOver } = await serve()
  const conn = dial(server)
  await readExactly(conn, 2)
  conn.write(Buffer.concat([Buffer.of(1), Buffer.alloc(32)]))
  await readExactly(conn, 64)
  conn.write(Buffer.alloc(32))
  expect(await drain(conn)).toEqual(Buffer.of(0))
  expect(await nextError()).toMatchObject({ code: 'PT_EXTOR_AUTH' })
  expect(handedOver).toEqual([])
})

test('EXT-1: an authentication type that is not on offer ends the connection without a byte', async () => {
  const { server, nextError } = await serve()
  for (const type of [0x00, 0x02, 0x99, 0xff]) {
    const conn = dial(server)
    conn.write(Buffer.concat([Buffer.of(type), Buffer.alloc(64)]))
    const received = await readExactly(conn, 2)
    expect(received).toEqual(Buffer.of(1, 0))
    await drain(conn)
    expect(conn.bytesRead).toBe(2)
    expect(await nextError()).toMatchObject({ code: 'PT_EXTOR' })
  }
})

test.each([
  ['a NUL in USERADDR', encodeFrame(1, '1.2.3.4:5678\0')],
  ['a USERADDR that is none', encodeFrame(1, 'client.example:1')],
  ['an empty USERADDR', encodeFrame(1)],
  ['a NUL in TRANSPORT', encodeFrame(2, 'rfc1149\0')],
  ['a TRANSPORT that is no identifier', encodeFrame(2, 'rf+1149')],
  ['an empty TRANSPORT', encodeFrame(2)],
  ['65 commands', Buffer.concat(Array.from({ length: 65 }, () => encodeFrame(9)))],
  ['bytes behind DONE', Buffer.concat([encodeFrame(0), Buffer.from('x')])],
])('EXT-2: %s ends the connection', async (_, introduction) => {
  const { server, nextError, handedOver } = await serve({ cookie })
  const conn = dial(server)
  await playPt(conn, { introduction })
  expect(await drain(conn)).toEqual(Buffer.alloc(0))
  const error = await nextError()
  expect(error).toMatchObject({ code: 'PT_EXTOR' })
  expect(error.message).not.toMatch(/example|1\.2\.3|rf/)
  expect(handedOver).toEqual([])
})

test('EXT-2: bytes that arrive while the application decides end the connection', async () => {
  const events = new EventTarget()
  const happened = (type: string) => new Promise((resolve) => events.addEventListener(type, resolve, { once: true }))
  const asked = happened('asked')
  const answered = happened('answered')
  const { server, nextError, handedOver } = await serve({
    cookie,
    allow: () => {
      events.dispatchEvent(new Event('asked'))
      return answered.then(() => true)
    },
  })
  const conn = dial(server)
  await playPt(conn)
  await asked
  conn.write('too early')
  // A second connection through the same loop: behind its greeting, the first one's bytes are in.
  await readExactly(dial(server), 2)
  events.dispatchEvent(new Event('answered'))
  await drain(conn)
  expect(await nextError()).toMatchObject({ code: 'PT_EXTOR' })
  expect(handedOver).toEqual([])
})

test('EXT-2, EXT-3: the application may deny a connection, at once, later, or by failing', async () => {
  const cause = new Error('no answer')
  for (const allow of [() => false, async () => false, () => Promise.reject(cause)]) {
    const { server, nextError, handedOver } = await serve({ allow })
    const connected = connectExtOrPort(dial(server), { cookieFile: server.cookieFile, transport: 'obfs4' })
    await expect(connected).rejects.toMatchObject({ code: 'PT_EXTOR_DENIED' })
    expect(await nextError()).toMatchObject({ code: 'PT_EXTOR_DENIED' })
    expect(handedOver).toEqual([])
  }
  const seen: unknown[] = []
  const { server } = await serve({ allow: (client) => seen.push(client) > 0 })
  await connectExtOrPort(dial(server), { cookieFile: server.cookieFile, transport: 'x', userAddr: '1.2.3.4:5' })
  expect(seen).toEqual([{ transport: 'x', userAddr: { host: '1.2.3.4', port: 5 } }])
})

test('EXT-1, EXT-2: a PT that goes away at any point is an error, and nothing is handed over', async () => {
  const { server, handedOver, nextError } = await serve({ cookie })
  const introduction = Buffer.concat([encodeFrame(2, 'obfs4'), encodeFrame(0)])
  for (let cut = 1; cut < 33 + 32 + introduction.length; cut++) {
    const conn = dial(server)
    await playPt(conn, { introduction, cut }).catch(() => {})
    expect(await nextError()).toMatchObject({ code: 'PT_CLOSED' })
  }
  expect(handedOver).toEqual([])
})

test('EXT-1: random bytes never pass, crash or hang the server', async () => {
  const { server, handedOver, nextError, errors } = await serve()
  for (let round = 0; round < 100; round++) {
    const conn = dial(server)
    conn.resume().end(Buffer.from(Array.from({ length: round }, (_, at) => (at === 0 ? 1 : Math.random() * 256))))
    await nextError()
  }
  expect(errors.map((error) => error.name)).toEqual(Array.from({ length: 100 }, () => 'PtError'))
  expect(handedOver).toEqual([])
  await connectExtOrPort(dial(server), { cookieFile: server.cookieFile })
})

test('EXT-3: a handshake ends at its deadline, also while the application decides', async () => {
  const { server, nextError, handedOver } = await serve({
    handshakeTimeout: 1_000,
    allow: () => new Promise<boolean>(() => {}),
  })
  await drain(dial(server))
  expect(await nextError()).toMatchObject({ code: 'PT_TIMEOUT' })
  const connected = connectExtOrPort(dial(server), { cookieFile: server.cookieFile })
  await expect(connected).rejects.toMatchObject({ code: 'PT_CLOSED' })
  expect(await nextError()).toMatchObject({ code: 'PT_TIMEOUT' })
  expect(handedOver).toEqual([])
})

test('EXT-3: a PT is served though others hold connections without the cookie; the oldest of those makes room', async () => {
  const { server, next } = await serve({ handshakeLimit: 3 })
  const silent: Socket[] = []
  for (let count = 0; count < 10; count++) {
    const conn = dial(server)
    silent.push(conn)
    await readExactly(conn, 2)
  }
  // Some of them speak the protocol up to where the cookie is wanted.
  for (const conn of silent.slice(-2)) conn.write(Buffer.concat([Buffer.of(1), Buffer.alloc(32)]))
  for (let round = 0; round < 10; round++) {
    await connectExtOrPort(dial(server), { cookieFile: server.cookieFile })
    expect((await next()).conn.destroyed).toBe(false)
  }
  let ended = 0
  for (const conn of silent) conn.resume().once('end', () => ended++)
  const another = async (): Promise<number> => {
    await readExactly(dial(server), 2)
    return ended
  }
  await expect.poll(another, { timeout: 10_000, interval: 200 }).toBeGreaterThan(0)
})

test('EXT-2: an application that is busy for longer than goptlib would wait loses no connection', async () => {
  const { server, next } = await serve({
    allow: () => timePasses(5_500).then(() => true),
  })
  const conn = dial(server)
  await connectExtOrPort(conn, { cookieFile: server.cookieFile })
  expect((await next()).conn.destroyed).toBe(false)
  expect(conn.destroyed).toBe(false)
})

test('EXT-3: a PT that has shown the cookie makes room for nobody while the application decides', async () => {
  let decide!: (allowed: boolean) => void
  let ask!: () => void
  const asked = new Promise<void>((resolve) => (ask = resolve))
  const allow = (): Promise<boolean> => {
    ask()
    return new Promise((resolve) => (decide = resolve))
  }
  const { server } = await serve({ handshakeLimit: 2, allow })
  const connected = connectExtOrPort(dial(server), { cookieFile: server.cookieFile })
  await asked
  for (let count = 0; count < 5; count++) await readExactly(dial(server), 2)
  decide(true)
  await connected
})

test('EXT-3: the cookie file is 0600 while the server runs and gone afterwards; close ends every connection', async () => {
  const { server, next } = await serve()
  const { cookieFile } = server
  if (process.platform !== 'win32') expect(statSync(cookieFile).mode & 0o777).toBe(0o600)
  expect((await readCookieFile(cookieFile)).length).toBe(32)
  const passed = dial(server)
  await connectExtOrPort(passed, { cookieFile })
  const handedOver = await next()
  const waiting = dial(server)
  await readExactly(waiting, 2)
  await Promise.all([server.close(), server.close()])
  await Promise.all([drain(passed), drain(waiting)])
  expect(handedOver.conn.destroyed).toBe(true)
  expect(existsSync(cookieFile)).toBe(false)
  await expect(drain(dial(server))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('EXT-3: a cookie may be given, or one for each peer', async () => {
  const first = await serve({ cookie })
  expect(readFileSync(first.server.cookieFile)).toEqual(formatCookie(cookie))

  const other = Buffer.alloc(32, 9)
  const otherFile = join(tempDir(), 'other')
  writeFileSync(otherFile, formatCookie(other))
  const { server } = await serve({ cookie, cookieFor: (peer) => (peer.host === '127.0.0.2' ? other : cookie) })
  await connectExtOrPort(dial(server), { cookieFile: server.cookieFile })
  if (process.platform !== 'linux') return
  const conn = connect({ ...server.address, localAddress: '127.0.0.2' })
  onTestFinished(() => void conn.destroy())
  await connectExtOrPort(conn, { cookieFile: otherFile })
})

test('EXT-3: two servers make two cookies', async () => {
  const [one, two] = [await serve(), await serve()]
  expect(readFileSync(one.server.cookieFile)).not.toEqual(readFileSync(two.server.cookieFile))
})

test('EXT-3: a port beyond loopback is refused unless the application asks for it', async () => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'localhost']) {
    await expect(serve({ host })).rejects.toMatchObject({ code: 'PT_EXTOR' })
  }
  const { server } = await serve({ host: '0.0.0.0', exposed: true })
  await connectExtOrPort(dial(server), { cookieFile: server.cookieFile })
})

test('EXT-3: a start that fails leaves no cookie file, no listener, and the file of the server that has the port', async () => {
  const { server } = await serve()
  const held = readFileSync(server.cookieFile)
  const { port } = server.address
  await expect(serve({ port, cookieFile: server.cookieFile })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  expect(readFileSync(server.cookieFile)).toEqual(held)
  await server.close()
  await expect(serve({ port, cookieFile: join(tempDir(), 'no', 'folder') })).rejects.toMatchObject({ code: 'PT_EXTOR' })
  await expect(serve({ port, cookie: Buffer.alloc(31) })).rejects.toMatchObject({ code: 'PT_EXTOR' })
  await serve({ port })
})

test('EXT-3: an application that fails to take a connection loses that one only', async () => {
  let failing = true
  const { server, nextError } = await serve({
    onConnection: () => {
      if (failing) throw new Error('no room')
    },
  })
  const conn = dial(server)
  await connectExtOrPort(conn, { cookieFile: server.cookieFile })
  expect(await drain(conn)).toEqual(Buffer.alloc(0))
  expect((await nextError()).message).toBe('no room')
  failing = false
  await connectExtOrPort(dial(server), { cookieFile: server.cookieFile })
})
