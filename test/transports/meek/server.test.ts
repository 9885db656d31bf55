/** What the server of meek answers, byte by byte, over real connections. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readExactly } from 'postern/io'
import { describe, expect, test } from 'vitest'
import { open, readAll } from '../../pt/support.ts'
import { ask, askAlone, collect, heard, ID, poll, serveMeek } from './served.ts'

const PAYLOAD = 65_536

describe('a session', () => {
  test('begins with a request that has a new id, and is answered at once', async () => {
    const server = await serveMeek({ hold: 600_000 })
    const conn = await open(server.port)
    const { head } = await ask(conn, poll())
    expect(head.replace(/Date: .*/, 'Date: now')).toBe(
      'HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: application/octet-stream\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n',
    )
    const { userAddr } = await server.next()
    expect(userAddr).toBe(`127.0.0.1:${conn.localPort}`)
    expect(server.connections.count).toMatchObject({ open: 2, handshakes: 0 })
  })

  test('carries the bodies in, and what the application has written out', async () => {
    const server = await serveMeek()
    const conn = await open(server.port)
    await ask(conn, poll('first'))
    const { stream } = await server.next()
    expect(String(await readExactly(stream, 5))).toBe('first')
    stream.write('answer')
    expect(String((await ask(conn, poll('second'))).body)).toBe('answer')
    expect(String(await readExactly(stream, 6))).toBe('second')
    expect((await ask(conn, poll())).body.length).toBe(0)
    expect(server.came).toEqual([])
  })

  test('goes on over other connections', async () => {
    const server = await serveMeek()
    await askAlone(server.port, poll('a'))
    const { stream } = await server.next()
    await askAlone(server.port, poll('b'))
    stream.write('c')
    expect(String((await askAlone(server.port, poll())).body)).toBe('c')
    expect(String(await readExactly(stream, 2))).toBe('ab')
    expect(server.came).toEqual([])
  })

  test('waits for bytes no longer than the time that it has, and answers when they come', async () => {
    const server = await serveMeek({ hold: 600_000 })
    const conn = await open(server.port)
    await ask(conn, poll())
    const { stream } = await server.next()
    conn.write(poll('question'))
    await readExactly(stream, 8)
    stream.write('answer')
    expect(String((await heard(conn)).body)).toBe('answer')
  })

  test('waits shortly after a body, as the next request waits for this answer, and not at all after a full one', async () => {
    const server = await serveMeek({ hold: 600_000, holdBody: 5 })
    const conn = await open(server.port)
    await ask(conn, poll())
    const { stream } = await server.next()
    expect((await ask(conn, poll('question'))).body.length).toBe(0)
    const patient = await serveMeek({ hold: 600_000 })
    const other = await open(patient.port)
    await ask(other, poll())
    expect((await ask(other, poll(Buffer.alloc(PAYLOAD)))).body.length).toBe(0)
    expect(String(await readExactly(stream, 8))).toBe('question')
  })

  test('puts no more than 65536 bytes into an answer, and the rest into the next ones', async () => {
    const server = await serveMeek()
    const conn = await open(server.port)
    await ask(conn, poll())
    const { stream } = await server.next()
    const bytes = randomBytes(3 * PAYLOAD + 1)
    stream.write(bytes)
    const bodies = []
    for (let i = 0; i < 4; i++) bodies.push((await ask(conn, poll())).body)
    expect(bodies.map(({ length }) => length)).toEqual([PAYLOAD, PAYLOAD, PAYLOAD, 1])
    expect(Buffer.concat(bodies).equals(bytes)).toBe(true)
  })

  test('takes requests that come byte by byte, and the second one of two that come together', async () => {
    const server = await serveMeek()
    const conn = await open(server.port)
    for (const byte of poll('slow')) conn.write(Buffer.of(byte))
    await heard(conn)
    const { stream } = await server.next()
    expect(String(await readExactly(stream, 4))).toBe('slow')
    conn.write(Buffer.concat([poll('one'), poll('two'), poll('three').subarray(0, -2)]))
    await heard(conn)
    await heard(conn)
    expect(String(await readExactly(stream, 6))).toBe('onetwo')
    conn.write('ee')
    await heard(conn)
    expect(String(await readExactly(stream, 5))).toBe('three')
  })

  test('takes a body in chunks', async () => {
    const server = await serveMeek()
    const chunked = `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-Session-Id: ${ID}\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`
    expect((await askAlone(server.port, Buffer.from(chunked))).status).toBe(200)
    const { stream } = await server.next()
    expect(String(await readExactly(stream, 5))).toBe('abcde')
  })

  test('of every request that breaks off it has got nothing', async () => {
    const server = await serveMeek()
    const whole = poll('0123456789')
    for (let length = 1; length < whole.length; length += 7) {
      const conn = await open(server.port)
      conn.end(whole.subarray(0, length))
      await readAll(conn)
    }
    await askAlone(server.port, poll('after'))
    const { stream } = await server.next()
    expect(String(await readExactly(stream, 5))).toBe('after')
    expect(server.came).toEqual([])
  })
})

describe('two requests of one id', () => {
  test('are answered one after the other, and their bodies arrive in order', async () => {
    const server = await serveMeek({ hold: 600_000 })
    const [first, second] = [await open(server.port), await open(server.port)]
    await ask(first, poll())
    const { stream } = await server.next()
    first.write(poll('one'))
    await readExactly(stream, 3)
    second.write(poll('two'))
    stream.write('for the first')
    expect(String((await heard(first)).body)).toBe('for the first')
    expect(String(await readExactly(stream, 3))).toBe('two')
    stream.write('for the second')
    expect(String((await heard(second)).body)).toBe('for the second')
  })

  test('if there are more than may wait, the last one is refused, and nothing of its body has been used', async () => {
    const server = await serveMeek({ hold: 600_000, mostWaiting: 1 })
    const conns = await Promise.all([0, 1, 2].map(() => open(server.port)))
    await ask(conns[0]!, poll())
    const { stream } = await server.next()
    conns[0]!.write(poll('one'))
    await readExactly(stream, 3)
    conns[1]!.write(poll('two'))
    conns[2]!.write(poll('six'))
    const refused = await Promise.race([heard(conns[1]!), heard(conns[2]!)])
    expect(refused.status).toBe(503)
    stream.write('.')
    expect(String(await readExactly(stream, 3))).toMatch(/^(?:two|six)$/)
    expect(stream.readableLength).toBe(0)
  })

  test('the second one is refused if the first takes too long', async () => {
    const server = await serveMeek({ hold: 600_000, patience: 50 })
    const conn = await open(server.port)
    await ask(conn, poll())
    const { stream } = await server.next()
    conn.write(poll('one'))
    await readExactly(stream, 3)
    expect((await askAlone(server.port, poll('two'))).status).toBe(503)
  })
})

describe('a body', () => {
  test.each(['0000000', 'x'.repeat(65), 'with space', 'tab\there', '12345678\x7f', '1234567é', ''])(
    'is refused with 400 if its id is %j',
    async (id) => {
      const server = await serveMeek()
      expect((await askAlone(server.port, poll('body', id))).status).toBe(400)
      expect(server.came).toEqual([])
    },
  )

  test.each(['12345678', 'x'.repeat(64), 'AAAA+/bb/cc', '!"#$%&\'()~'])('is taken if its id is %j', async (id) => {
    const server = await serveMeek()
    expect((await askAlone(server.port, poll('body', id))).status).toBe(200)
  })

  test('is refused if there are two ids', async () => {
    const server = await serveMeek()
    expect((await askAlone(server.port, poll('body', ID, `X-Session-Id: ${ID}\r\n`))).status).toBe(400)
  })

  test.each([
    ['with its length', `Content-Length: ${PAYLOAD + 1}\r\n\r\n`],
    ['in chunks', `Transfer-Encoding: chunked\r\n\r\n${(PAYLOAD + 1).toString(16)}\r\n`],
  ])('of more than 65536 bytes is refused whole, %s', async (_how, rest) => {
    const server = await serveMeek()
    const conn = await open(server.port)
    await ask(conn, poll('before'))
    const { stream } = await server.next()
    conn.write(`POST / HTTP/1.1\r\nHost: h\r\nX-Session-Id: ${ID}\r\n${rest}`)
    conn.write(Buffer.alloc(PAYLOAD + 1))
    const { status, head } = await heard(conn)
    expect([status, /Connection: (.*)\r/.exec(head)?.[1]]).toEqual([413, 'close'])
    expect(String(await readExactly(stream, 6))).toBe('before')
    expect(stream.readableLength).toBe(0)
  })

  test('of 65536 bytes is taken', async () => {
    const server = await serveMeek()
    const body = randomBytes(PAYLOAD)
    expect((await askAlone(server.port, poll(body))).status).toBe(200)
    const { stream } = await server.next()
    expect((await readExactly(stream, PAYLOAD)).equals(body)).toBe(true)
  })
})

describe('an answer that is lost', () => {
  test('is given again to the same request, whose body is not passed on twice', async () => {
    const server = await serveMeek({ hold: 600_000 })
    const conn = await open(server.port)
    await ask(conn, poll())
    const { stream } = await server.next()
    conn.write(poll('once'))
    await readExactly(stream, 4)
    conn.destroy()
    const again = await open(server.port)
    again.write(poll('once'))
    stream.write('answer')
    expect(String((await heard(again)).body)).toBe('answer')
    expect(stream.readableLength).toBe(0)
  })
})

describe('the end', () => {
  test('of the application comes after its last bytes: a head that promises 65537 bytes, and none', async () => {
    const server = await serveMeek()
    const conn = await open(server.port)
    await ask(conn, poll())
    const { stream } = await server.next()
    stream.end(Buffer.alloc(PAYLOAD + 1, 'e'))
    expect((await collect(conn, PAYLOAD + 1)).length).toBe(PAYLOAD + 1)
    conn.write(poll())
    expect(await readAll(conn)).toBe(
      'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 65537\r\nConnection: close\r\n\r\n',
    )
  })

  test('is told to a client that waits', async () => {
    const server = await serveMeek({ hold: 600_000 })
    const conn = await open(server.port)
    await ask(conn, poll())
    const { stream } = await server.next()
    conn.write(poll('last'))
    await readExactly(stream, 4)
    stream.destroy()
    expect(await readAll(conn)).toContain('Content-Length: 65537')
  })

  test('is told again whenever the client asks, and there is no other session of that id', async () => {
    const server = await serveMeek()
    const conn = await open(server.port)
    await ask(conn, poll())
    const { stream } = await server.next()
    stream.destroy()
    for (let i = 0; i < 3; i++) {
      const conn = await open(server.port)
      conn.write(poll('lost'))
      expect(await readAll(conn)).toContain('Content-Length: 65537')
    }
    expect(server.came).toEqual([])
  })

  test('of the server is the end of its sessions and connections', async () => {
    const server = await serveMeek()
    const conn = await open(server.port)
    await ask(conn, poll())
    const { stream } = await server.next()
    const closed = once(
      stream.on('error', () => undefined),
      'close',
    )
    await server.close()
    await closed
    await readAll(conn)
    expect(server.connections.count.open).toBe(0)
  })
})

describe('an application that is slow', () => {
  test('to read gets no more bodies, and a client that repeats what was refused loses nothing', async () => {
    const server = await serveMeek({ patience: 50 })
    const conn = await open(server.port)
    await ask(conn, poll())
    const { stream } = await server.next()
    const sent: Buffer[] = []
    let refused = 0
    while (refused < 2) {
      const body = randomBytes(PAYLOAD)
      let { status } = await ask(conn, poll(body))
      if (status === 200) sent.push(body)
      else {
        refused++
        expect(status).toBe(503)
        expect(stream.readableLength).toBeLessThanOrEqual(2 * PAYLOAD)
        await readExactly(stream, PAYLOAD)
        status = (await ask(conn, poll(body))).status
        expect(status).toBe(200)
        sent.push(body)
      }
    }
    const rest = Buffer.concat(sent.slice(2))
    expect((await readExactly(stream, rest.length)).equals(rest)).toBe(true)
  })

  test('has to wait if its client does not ask', async () => {
    const server = await serveMeek()
    await askAlone(server.port, poll())
    const { stream } = await server.next()
    let taken = 0
    for (let i = 0; i < 10; i++) stream.write(Buffer.alloc(PAYLOAD), () => taken++)
    const conn = await open(server.port)
    for (let asked = 0; asked < 10; asked++) {
      expect(taken).toBeLessThanOrEqual(asked + 2)
      expect((await ask(conn, poll())).body.length).toBe(PAYLOAD)
    }
    expect(taken).toBe(10)
  })
})

describe('everybody else', () => {
  test.each([
    ['GET', 'GET / HTTP/1.1\r\nHost: h\r\n\r\n'],
    ['POST without an id', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab'],
    ['GET with an id', `GET / HTTP/1.1\r\nHost: h\r\nX-Session-Id: ${ID}\r\n\r\n`],
    ['no Host', 'GET /x HTTP/1.1\r\n\r\n'],
    ['an expectation', 'GET /x HTTP/1.1\r\nHost: h\r\nExpect: the-best\r\n\r\n'],
    ['HTTP/1.0', 'GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'],
  ])('gets the page of the decoy, and may go on: %s', async (_what, request) => {
    const server = await serveMeek()
    const conn = await open(server.port)
    const { head, body } = await ask(conn, Buffer.from(request))
    expect(head.replace(/Date: .*/, 'Date: now')).toBe(
      `HTTP/1.1 404 Not Found\r\nServer: nginx\r\nDate: now\r\nContent-Type: text/html\r\nContent-Length: ${body.length}\r\nConnection: keep-alive\r\n\r\n`,
    )
    expect(String(body)).toContain('<center>nginx</center>')
    expect((await ask(conn, poll())).status).toBe(200)
  })

  test.each([
    ['words', 'hello there\r\n\r\n'],
    ['a head of 20 kB', `GET / HTTP/1.1\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`],
    ['two lengths', String(poll('abc')).replace('\r\n\r\n', '\r\nContent-Length: 4\r\n\r\n')],
    ['a length and chunks', String(poll('abc')).replace('Accept-', 'Transfer-Encoding: chunked\r\nAccept-')],
    ['CONNECT', 'CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n'],
    ['a NUL', 'GET / HTTP/1.1\r\nHost: \0\r\n\r\n'],
    ['the first bytes of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('gets 400 and the end for what is no request: %s', async (_what, bytes) => {
    const server = await serveMeek()
    const conn = await open(server.port)
    conn.write(bytes)
    const text = await readAll(conn)
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nServer: nginx\r\n/)
    expect(text).toContain('\r\nConnection: close\r\n')
    expect(server.came).toEqual([])
  })

  test('that knows the host, and not the path of the url, is one of them', async () => {
    const server = await serveMeek({}, { url: 'https://meek.example/the/path?x=1' })
    const request = (path: string): Buffer => Buffer.from(String(poll()).replace('POST /', `POST ${path}`))
    expect((await askAlone(server.port, request('/'))).status).toBe(404)
    expect((await askAlone(server.port, request('/the/path/'))).status).toBe(404)
    expect((await askAlone(server.port, request('/the/path?x=1'))).status).toBe(200)
    expect((await askAlone(server.port, request('/the/path'))).status).toBe(200)
    expect([...server.args]).toEqual([['url', 'https://meek.example/the/path?x=1']])
  })
})

describe("the client's address", () => {
  test.each([
    ['the last item of X-Forwarded-For', 'X-Forwarded-For: 192.0.2.1, 198.51.100.7\r\n', '198.51.100.7:1'],
    ['Meek-IP', 'Meek-IP: 2001:db8::7\r\n', '[2001:db8::7]:1'],
    ['not Meek-IP beside X-Forwarded-For', 'Meek-IP: 192.0.2.1\r\nX-Forwarded-For: 198.51.100.7\r\n', '198.51.100.7:1'],
  ])('is %s, if a front of this machine says it', async (_what, fields, address) => {
    const server = await serveMeek()
    await askAlone(server.port, poll('', ID, fields))
    expect((await server.next()).userAddr).toBe(address)
  })

  test('is that of the connection if the header holds none', async () => {
    const server = await serveMeek()
    await askAlone(server.port, poll('', ID, 'X-Forwarded-For: unknown\r\n'))
    expect((await server.next()).userAddr).toMatch(/^127\.0\.0\.1:\d+$/)
  })
})

describe('a connection', () => {
  test('that is silent, or slow with its first head, is closed without a byte', async () => {
    const server = await serveMeek({ firstRequest: 50 })
    for (const bytes of ['', 'POST / HT']) {
      const conn = await open(server.port)
      conn.write(bytes)
      expect(await readAll(conn)).toBe('')
    }
    await expect.poll(() => server.connections.count).toMatchObject({ open: 0, failed: 2 })
  })

  test('that is idle after an answer is closed in time, and its session goes on', async () => {
    const server = await serveMeek({ idle: 50 })
    const conn = await open(server.port)
    await ask(conn, poll())
    const { stream } = await server.next()
    await readAll(conn)
    expect(stream.destroyed).toBe(false)
    expect((await askAlone(server.port, poll())).status).toBe(200)
  })

  test('whose body does not end is closed in time', async () => {
    const server = await serveMeek({ transfer: 50 })
    const conn = await open(server.port)
    conn.write(poll('never whole').subarray(0, -1))
    expect(await readAll(conn)).toBe('')
  })

  test('with too many requests at once is closed', async () => {
    const server = await serveMeek({ hold: 600_000, mostOfConnection: 3 })
    const conn = await open(server.port)
    conn.write(Buffer.concat([poll(), ...Array.from({ length: 9 }, () => poll('more'))]))
    await readAll(conn)
    expect(server.connections.count.open).toBeLessThanOrEqual(1)
  })
})
