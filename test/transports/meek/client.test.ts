/** The client over HTTP/1.1, beside a front that says what the test wants. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readExactly } from '../../../src/io/read.ts'
import { meekClient } from '../../../src/transports/meek/client.ts'
import { clientOptions } from '../../launch-options.ts'
import { failureOf } from '../../support.ts'
import { dial, ok, scriptedFront } from './scripted-front.ts'

/** The error with which the stream ends, after all that can be read of it. */
async function endOf(stream: Duplex): Promise<{ readonly read: string; readonly error: Error | undefined }> {
  const chunks: Buffer[] = []
  let error: Error | undefined
  stream.on('data', (chunk: Buffer) => void chunks.push(chunk)).on('error', (one: Error) => (error = one))
  // A stream that has ended closes when its other half ends too.
  stream.once('end', () => stream.end())
  await new Promise((resolve) => (stream.closed ? resolve(undefined) : stream.once('close', resolve)))
  return { read: String(Buffer.concat(chunks)), error }
}

async function allClosed(connections: readonly Duplex[]): Promise<void> {
  for (const conn of connections) if (!conn.destroyed) await once(conn, 'close')
}

/** Echoes the body of a request. */
const echo = ({ body }: { readonly body: Buffer }): Buffer => ok(body)

describe('a request', () => {
  test('is byte for byte that of obfs4proxy and lyrebird', async () => {
    const front = await scriptedFront(() => ok())
    const targets: string[] = []
    const args = { url: 'http://user:word@server.example:8080/some/path?x=1#part', front: 'cdn.example:81' }
    const stream = await dial(front.port, { args, targets })
    stream.write('hello')
    const { head, body, id } = await front.request(1)
    expect(targets).toEqual(['cdn.example:81'])
    expect(String(body)).toBe('hello')
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    expect(head).toBe(
      'POST /some/path?x=1 HTTP/1.1\r\nHost: server.example:8080\r\nContent-Length: 5\r\n' +
        `X-Session-Id: ${id}\r\nAccept-Encoding: gzip\r\n\r\n`,
    )
  })

  test('comes first without a body, and the dial is done when it is answered', async () => {
    const front = await scriptedFront((_, __, place) => (place === 0 ? ok('the first word') : ok()))
    const stream = await dial(front.port)
    expect(front.heard[0]!.body).toHaveLength(0)
    expect(String(await readExactly(stream, 14))).toBe('the first word')
  })

  test('carries 65,536 bytes at most, and all of them over one connection come back whole and in order', async () => {
    const front = await scriptedFront(echo)
    const stream = await dial(front.port)
    const bytes = randomBytes(1_000_000)
    stream.write(bytes)
    expect((await readExactly(stream, bytes.length)).equals(bytes)).toBe(true)
    const sizes = front.heard.map(({ body }) => body.length)
    expect(Math.max(...sizes)).toBe(65_536)
    expect(sizes.filter((size) => size > 0).length).toBe(Math.ceil(bytes.length / 65_536))
    expect(front.connections).toHaveLength(1)
    expect(new Set(front.heard.map(({ id }) => id)).size).toBe(1)
  })

  test('gathers what the application writes in one turn', async () => {
    const front = await scriptedFront(() => ok())
    const stream = await dial(front.port)
    for (const part of ['one ', 'body ', 'in one ', 'request']) stream.write(part)
    expect(String((await front.request(1)).body)).toBe('one body in one request')
  })

  test('waits for the answer to the one before it', async () => {
    let answered = 0
    const early: number[] = []
    const front = await scriptedFront(({ body }, conn, place) => {
      if (place !== answered) early.push(place)
      setImmediate(() => {
        answered++
        conn.write(ok(body))
      })
      return undefined
    })
    const stream = await dial(front.port)
    const bytes = randomBytes(500_000)
    stream.write(bytes)
    expect((await readExactly(stream, bytes.length)).equals(bytes)).toBe(true)
    expect(early).toEqual([])
  })
})

describe('an answer', () => {
  const long = randomBytes(70_000)
  const chunked = (bytes: Buffer): Buffer =>
    Buffer.concat([
      Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${bytes.length.toString(16)}\r\n`),
      bytes,
      Buffer.from('\r\n0\r\n\r\n'),
    ])

  test.each([
    ['of 70,000 bytes', ok(long)],
    ['in chunks', chunked(long)],
    ['that was compressed', ok(gzipSync(long), 'Content-Encoding: gzip\r\n')],
    [
      'that was compressed and comes in chunks',
      Buffer.concat([Buffer.from('HTTP/1.1 103 Early\r\n\r\n'), chunked(long)]),
    ],
  ])('%s is read whole', async (_, bytes) => {
    const front = await scriptedFront(({ body }) => (body.length > 0 ? bytes : ok()))
    const stream = await dial(front.port)
    stream.write('ask')
    expect((await readExactly(stream, long.length)).equals(long)).toBe(true)
  })

  test('that ends with its connection is read whole, and the session goes on over another one', async () => {
    const front = await scriptedFront(({ body }, conn) => {
      if (body.length > 0) conn.end(Buffer.concat([Buffer.from('HTTP/1.0 200 OK\r\n\r\n'), body]))
      return body.length > 0 ? undefined : ok()
    })
    const stream = await dial(front.port)
    for (const word of ['first', 'second']) {
      stream.write(word)
      expect(String(await readExactly(stream, word.length))).toBe(word)
    }
    expect(front.connections.length).toBeGreaterThan(1)
    expect(new Set(front.heard.map(({ id }) => id)).size).toBe(1)
  })

  test('that is too long ends the session', async () => {
    const front = await scriptedFront(({ body }) => (body.length > 0 ? ok(Buffer.alloc(1_048_577)) : ok()))
    const stream = await dial(front.port)
    stream.write('ask')
    expect((await endOf(stream)).error).toMatchObject({ code: 'PT_LIMIT' })
  })

  test.each([302, 404, 500, 502, 204, 206, 410])(
    'of status %i has the dial fail, and nothing is sent again',
    async (status) => {
      const front = await scriptedFront(() => `HTTP/1.1 ${status} Word\r\nContent-Length: 0\r\n\r\n`)
      const error = await failureOf(
        dial(front.port, { args: { url: 'http://server.example/secret', front: 'cdn.example' } }),
      )
      expect(error).toMatchObject({ code: 'PT_HANDSHAKE', stage: expect.stringMatching(/^(?:path|upgrade|backend)$/) })
      expect(error.message).toContain(`${status}`)
      expect(error.message).not.toMatch(/server\.example|cdn|secret/)
      expect(front.heard).toHaveLength(1)
    },
  )

  test('that is a page has the dial fail, as a login page stands in the way or the url is wrong', async () => {
    const front = await scriptedFront(() => ok('<html>', 'Content-Type: text/html; charset=utf-8\r\n'))
    expect(await failureOf(dial(front.port))).toMatchObject({ code: 'PT_HANDSHAKE', stage: 'upgrade' })
  })

  test.each([302, 404, 500, 503, 204, 206])(
    'of status %i ends a session, whose application has all that came before it',
    async (status) => {
      const front = await scriptedFront(({ body }) => {
        if (body.length === 0) return ok()
        return String(body) === 'more' ? `HTTP/1.1 ${status} Word\r\nContent-Length: 0\r\n\r\n` : ok(body)
      })
      const stream = await dial(front.port)
      stream.write('first')
      await front.request(1)
      const ended = endOf(stream)
      await once(stream, 'data')
      stream.write('more')
      const { read, error } = await ended
      expect(read).toBe('first')
      expect(error).toMatchObject({ code: 'PT_CLOSED' })
      expect(front.heard.filter(({ body }) => String(body) === 'more')).toHaveLength(1)
    },
  )

  test('that is no HTTP has the dial fail', async () => {
    const front = await scriptedFront(() => 'SSH-2.0-OpenSSH_9.2\r\n')
    expect(await failureOf(dial(front.port))).toMatchObject({ code: 'PT_FRAME', stage: 'mark' })
  })

  test('of another turn than its own ends the connection, so that no answer is taken for another one', async () => {
    const front = await scriptedFront(({ body }) => (body.length > 0 ? Buffer.concat([ok('a'), ok('forged')]) : ok()))
    const stream = await dial(front.port)
    stream.write('ask')
    expect(String(await readExactly(stream, 1))).toBe('a')
    const next = await front.request(2)
    expect(next.connection).toBe(1)
    expect(stream.readableLength).toBe(0)
  })
})

describe('a connection that breaks', () => {
  test('between two requests is replaced, and no byte is lost or comes twice', async () => {
    // Each connection ends after the request without a body that follows the word.
    const front = await scriptedFront((heard, conn, place) => {
      if (heard.body.length === 0 && place > 0) conn.end(ok())
      return heard.body.length > 0 || place === 0 ? echo(heard) : undefined
    })
    const stream = await dial(front.port)
    for (const word of ['one', 'two', 'three']) {
      stream.write(word)
      expect(String(await readExactly(stream, word.length))).toBe(word)
      const conn = front.connections[front.heard.at(-1)!.connection]!
      if (!conn.destroyed) await once(conn, 'close')
    }
    expect(front.heard.map(({ body }) => String(body)).filter((body) => body !== '')).toEqual(['one', 'two', 'three'])
  })

  test.each(['end', 'destroy'] as const)(
    'by %s after a request ends the session, and the body is not sent again',
    async (how) => {
      const front = await scriptedFront(({ body }, conn) => {
        if (body.length > 0) conn[how]()
        return body.length > 0 ? undefined : ok()
      })
      const stream = await dial(front.port)
      stream.write('once')
      const { error } = await endOf(stream)
      expect(error).toMatchObject({ code: 'PT_CLOSED' })
      expect(error!.message).toContain('not sent again')
      expect(front.heard.filter(({ body }) => body.length > 0)).toHaveLength(1)
      expect(front.connections).toHaveLength(1)
    },
  )

  test('in the middle of an answer ends the session', async () => {
    const front = await scriptedFront(({ body }, conn) => {
      if (body.length > 0) conn.end(ok(Buffer.alloc(100)).subarray(0, -1))
      return body.length > 0 ? undefined : ok()
    })
    const stream = await dial(front.port)
    stream.write('ask')
    expect(await endOf(stream)).toMatchObject({ read: '', error: { code: 'PT_CLOSED' } })
  })

  test('after the head of 65,537 bytes and none of them is the end that our server says', async () => {
    const front = await scriptedFront(({ body }, conn) => {
      if (body.length > 0) conn.end('HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n')
      return body.length > 0 ? undefined : ok('all of it')
    })
    const stream = await dial(front.port)
    stream.write('ask')
    const { read, error } = await endOf(stream)
    expect(error).toBeUndefined()
    expect(read).toMatch(/^(?:all of it)+$/)
  })

  test('and cannot be replaced ends the session after ten tries', async () => {
    const front = await scriptedFront(({ body }, conn) => {
      if (body.length > 0) conn.end(ok(body, 'Connection: close\r\n'))
      return body.length > 0 ? undefined : ok()
    })
    const targets: string[] = []
    const args = { targets: 'http://server.example/|a.example+b.example+c.example+d.example+e.example' }
    const portOf = (): number | undefined => (targets.length > 1 ? undefined : front.port)
    const stream = await dial(front.port, { args, targets, portOf })
    stream.write('last')
    expect(await endOf(stream)).toMatchObject({ read: 'last', error: { code: 'ECONNREFUSED' } })
    expect(targets).toHaveLength(11)
  })
})

describe('several routes', () => {
  const targets = 'http://server.example/|a.example+b.example+c.example'

  test('are tried in turn, each as a session of its own', async () => {
    const front = await scriptedFront((heard) => {
      return front.heard.length < 3 ? 'HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n' : echo(heard)
    })
    const dialled: string[] = []
    const stream = await dial(front.port, { args: { targets }, targets: dialled })
    expect(dialled.toSorted()).toEqual(['a.example:80', 'b.example:80', 'c.example:80'])
    expect(new Set(front.heard.map(({ id }) => id)).size).toBe(3)
    stream.write('x')
    expect(String(await readExactly(stream, 1))).toBe('x')
    expect(new Set(front.heard.slice(2).map(({ id }) => id)).size).toBe(1)
  })

  test('that all fail give the error of the one that came furthest', async () => {
    const front = await scriptedFront(() => 'HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n')
    const portOf = (target: string): number | undefined => (target.startsWith('b.') ? front.port : undefined)
    const error = await failureOf(dial(front.port, { args: { targets }, portOf }))
    expect(error).toMatchObject({ code: 'PT_HANDSHAKE', stage: 'path' })
    expect(front.heard).toHaveLength(1)
  })

  test('serve one session one after the other, if connections cannot be made again', async () => {
    const front = await scriptedFront((heard, conn) => {
      if (heard.body.length > 0) conn.end(ok(heard.body, 'Connection: close\r\n'))
      return heard.body.length > 0 ? undefined : ok()
    })
    const dialled: string[] = []
    const portOf = (target: string): number | undefined =>
      dialled.length > 1 && target === dialled[0] ? undefined : front.port
    const stream = await dial(front.port, { args: { targets }, targets: dialled, portOf })
    for (const word of ['one', 'two']) {
      stream.write(word)
      expect(String(await readExactly(stream, word.length))).toBe(word)
    }
    expect(dialled.slice(0, 2)).toEqual([dialled[0], dialled[0]])
    expect(dialled[2]).not.toBe(dialled[0])
    expect(new Set(front.heard.map(({ id }) => id)).size).toBe(1)
  })
})

describe('the end', () => {
  test('of the application comes after all its bytes have arrived, and then nothing is asked any more', async () => {
    const front = await scriptedFront(() => ok())
    const stream = await dial(front.port)
    stream.allowHalfOpen = false
    stream.end(Buffer.alloc(200_000))
    stream.resume()
    await once(stream, 'close')
    expect(front.heard.reduce((sum, { body }) => sum + body.length, 0)).toBe(200_000)
    const asked = front.heard.length
    await allClosed(front.connections)
    expect(front.heard).toHaveLength(asked)
  })

  test('of the stream closes its connection, also in the middle of a request', async () => {
    const front = await scriptedFront(({ body }) => (body.length > 0 ? undefined : ok()))
    const stream = await dial(front.port)
    stream.write('never answered')
    const { connection } = await front.request(1)
    const closed = once(front.connections[connection]!, 'close')
    stream.destroy()
    await closed
  })

  test('of the client ends its streams', async () => {
    const front = await scriptedFront(echo)
    const client = meekClient(clientOptions({ stateDir: '' }))
    const stream = await dial(front.port, { client })
    const ended = endOf(stream)
    await client.close?.()
    expect((await ended).error).toMatchObject({ code: 'PT_STOPPED' })
    await allClosed(front.connections)
  })

  test('of the parent in the dial ends it, and its connection', async () => {
    const front = await scriptedFront(() => undefined)
    const parent = new AbortController()
    const dialled = dial(front.port, { signal: parent.signal })
    await front.request(0)
    const reason = new Error('the parent hung up')
    parent.abort(reason)
    expect(await failureOf(dialled)).toBe(reason)
    const [conn] = front.connections
    if (!conn!.destroyed) await once(conn!, 'close')
  })

  test('of a session refuses what is written after it, and what came before can still be read', async () => {
    const front = await scriptedFront(({ body }, conn) => {
      if (body.length > 0) conn.end('HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n')
      return body.length > 0 ? undefined : ok()
    })
    const stream = await dial(front.port)
    stream.write('ask')
    await front.request(1)
    stream.resume()
    await once(stream, 'end')
    const ended = endOf(stream)
    stream.write('too late')
    expect((await ended).error).toMatchObject({ code: 'PT_CLOSED' })
  })
})

test('a reader that takes nothing stops the requests, and goes on where it stopped', async () => {
  const page = randomBytes(65_536)
  const front = await scriptedFront(() => ok(page))
  const stream = await dial(front.port)
  await front.request(0)
  // What is written goes out all the same, and each answer brings as much again.
  stream.write('x')
  await front.request(1)
  expect(stream.readableLength).toBeLessThanOrEqual(2 * 65_536)
  const three = await readExactly(stream, 3 * 65_536)
  expect(three.equals(Buffer.concat([page, page, page]))).toBe(true)
})
