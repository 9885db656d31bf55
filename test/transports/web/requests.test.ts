/** The requests on a connection that come before the one for the tunnel. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { RequestHead } from '../../../src/http1/request.ts'
import { readExactly } from '../../../src/io/read.ts'
import { openDecoy } from '../../../src/transports/web/decoy.ts'
import { firstWanted, HEAD_LIMIT, MOST_REQUESTS } from '../../../src/transports/web/requests.ts'
import { drain, pairs, settle } from '../../io/streams.ts'
import { singly } from '../harness.ts'

const decoy = await openDecoy('nginx')
const wanted = 'GET /secret HTTP/1.1\r\nHost: h\r\n\r\n'
const page = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n'

interface Visit {
  /** The client's end of the connection. */
  readonly near: Duplex
  readonly far: Duplex
  /** The request for the tunnel, or why there is none. */
  readonly found: Promise<RequestHead | Error>
}

/** The server's end gives what it comes to. */
async function visit(make: () => Promise<[Duplex, Duplex]>): Promise<Visit> {
  const [near, far] = await make()
  const over = new AbortController()
  onTestFinished(() => {
    over.abort(new Error('the test is over'))
    near.destroy()
    far.destroy()
  })
  const wants = ({ target }: RequestHead): boolean => target === '/secret'
  const found = firstWanted(far, { decoy, wants, signal: over.signal }).catch((error: Error) => error)
  return { near: near.on('error', () => undefined), far, found }
}

/** The status of each answer in what a client has received, without the bodies. */
function statuses(bytes: Buffer): string[] {
  return [...bytes.toString('latin1').matchAll(/HTTP\/1\.1 (\d{3}) [^\r]*\r\n(?:[^\r]+\r\n)*?Connection: (\S+)/g)].map(
    ([, status, connection]) => `${status} ${connection}`,
  )
}

/** Sends `text`, and gives the answers of the server up to its end. */
async function answersTo(text: string | Buffer): Promise<{ answers: string[]; outcome: RequestHead | Error }> {
  const { near, far, found } = await visit(pairs[3]![1])
  const received = drain(near)
  near.end(text)
  const outcome = await found
  // This is what a PT does with both.
  if (outcome instanceof Error) far.destroy()
  else far.end()
  return { answers: statuses(await received), outcome }
}

describe.each(pairs)('over %s', (_, make) => {
  test('a request is found that comes byte by byte, after others, and what follows it stays in the connection', async () => {
    const { near, far, found } = await visit(make)
    for (const byte of singly(Buffer.from(`${page}${page}${wanted}surplus`))) {
      near.write(byte)
      await settle(1)
    }
    expect(await found).toMatchObject({ method: 'GET', target: '/secret', fields: [['Host', 'h']] })
    expect(String(await readExactly(far, 7))).toBe('surplus')
    const answer = await readExactly(near, 20)
    expect(String(answer)).toBe('HTTP/1.1 404 Not Fou')
  })

  test('requests that come in one piece are answered in their order', async () => {
    const { near, far, found } = await visit(make)
    near.write(`${page}${page}${wanted}surplus`)
    expect(await found).toMatchObject({ target: '/secret' })
    expect(String(await readExactly(far, 7))).toBe('surplus')
    far.end()
    expect(statuses(await drain(near))).toEqual(['404 keep-alive', '404 keep-alive'])
  })
})

test('every strict prefix of a request is waited for, and its end is the end of the connection without a byte', async () => {
  for (let length = 0; length < wanted.length; length++) {
    const { answers, outcome } = await answersTo(wanted.slice(0, length))
    expect({ length, answers, code: (outcome as { code?: string }).code }).toEqual({
      length,
      answers: [],
      code: 'PT_CLOSED',
    })
  }
})

const ended: readonly (readonly [what: string, request: string, answers: readonly string[]])[] = [
  ['a body of a known length', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /', ['404 close']],
  [
    'an empty body',
    `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n${page}`,
    ['404 keep-alive', '404 keep-alive'],
  ],
  ['chunks', `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${wanted}`, ['404 close']],
  [
    'chunks and a length',
    `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${wanted}`,
    ['404 close'],
  ],
  [
    'two lengths',
    `GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n${wanted}`,
    ['404 close'],
  ],
  ['a length that is no number', `GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -0\r\n\r\n${wanted}`, ['404 close']],
  [
    'a Transfer-Encoding without a value',
    `GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n${wanted}`,
    ['404 close'],
  ],
  ['Connection: close', `GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n${page}`, ['404 close']],
  ['HTTP/1.0', `GET / HTTP/1.0\r\n\r\n${page}`, ['404 close']],
  [
    'HTTP/1.0 that asks to stay',
    `GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n${page}`,
    ['404 keep-alive', '404 keep-alive'],
  ],
  ['no Host', `GET / HTTP/1.1\r\n\r\n`, ['400 close']],
  ['two Hosts', `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`, ['400 close']],
  ['no method', 'get / HTTP/1.1\r\n', ['400 close']],
  ['a NUL', 'GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n', ['400 close']],
  ['a NUL in a value', 'GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n', ['400 close']],
  ['a folded line', 'GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n', ['400 close']],
  ['a blank before the colon', 'GET / HTTP/1.1\r\nHost : h\r\n\r\n', ['400 close']],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ['400 close']],
  ['a hello of TLS', '\x16\x03\x01\x02\x00', ['400 close']],
  ['a line that is too long', `GET /${'a'.repeat(9_000)} HTTP/1.1\r\n`, ['414 close']],
  [
    'a head that is too long',
    `GET / HTTP/1.1\r\nHost: h\r\n${`X: ${'a'.repeat(1_000)}\r\n`.repeat(17)}\r\n`,
    ['400 close'],
  ],
]

test.each(ended)(
  'a request with %s is answered, and nothing after it is taken for a request that is not one',
  async (_, request, expected) => {
    const { answers, outcome } = await answersTo(Buffer.from(request, 'latin1'))
    expect(answers).toEqual(expected)
    expect((outcome as Error).message).not.toContain('/secret')
  },
)

test('lines may end with LF alone, and an empty line may come before a request', async () => {
  const { answers } = await answersTo('\r\nGET / HTTP/1.1\nHost: h\n\n')
  expect(answers).toEqual(['404 keep-alive'])
})

test('after so many requests the last answer says that the connection ends', async () => {
  const { answers } = await answersTo(page.repeat(MOST_REQUESTS + 5))
  expect(answers).toHaveLength(MOST_REQUESTS)
  expect(answers.slice(-2)).toEqual(['404 keep-alive', '404 close'])
})

test('20 MB without the end of a line are not read, and the client gets its answer', async () => {
  const { near, far, found } = await visit(pairs[2]![1])
  const received = readExactly(near, 300)
  const piece = Buffer.alloc(65_536, 'A')
  for (let sent = 0; sent < 20_000_000 && !near.destroyed; sent += piece.length) {
    if (!near.write(piece)) await Promise.race([once(near, 'drain'), found])
    if (near.writableNeedDrain) break
  }
  expect(await found).toMatchObject({ code: 'PT_HANDSHAKE' })
  expect(statuses(await received)).toEqual(['414 close'])
  expect((far as Duplex & { bytesRead: number }).bytesRead).toBeLessThan(1_000_000)
})

test('a client that does not read its page costs no more than a piece of it', async () => {
  const [near, far] = await pairs[3]![1]()
  const page = (await openDecoy('nginx')).fault('malformed')
  const large = { answer: () => ({ ...page, body: Buffer.alloc(16_000_000) }), fault: () => page }
  const over = new AbortController()
  const found = firstWanted(far, { decoy: large, wants: () => false, signal: over.signal }).catch(
    (error: unknown) => error,
  )
  near.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
  await expect.poll(() => far.writableNeedDrain).toBe(true)
  await settle(20)
  expect(far.writableLength).toBeLessThan(100_000)
  over.abort(new Error('it is over'))
  expect(await found).toMatchObject({ message: 'it is over' })
  near.destroy()
  far.destroy()
})

test('a head of just the limit is taken', async () => {
  const [start, end] = ['GET /secret HTTP/1.1\r\nHost: h\r\n', '\r\n\r\n']
  const filler = HEAD_LIMIT - start.length - end.length
  const lines = `X: ${'a'.repeat(7_000)}\r\nY: ${'b'.repeat(filler - 7_000 - 8)}`
  const { outcome } = await answersTo(`${start}${lines}${end}`)
  expect(outcome).toMatchObject({ target: '/secret' })
})

test('a client that is silent between two requests keeps nothing but its connection: the wait ends with the signal', async () => {
  const [near, far] = await pairs[3]![1]()
  const over = new AbortController()
  const found = firstWanted(far, { decoy, wants: () => false, signal: over.signal }).catch((error: unknown) => error)
  near.write(page)
  await readExactly(near, 1)
  const reason = new Error('it is over')
  over.abort(reason)
  expect(await found).toBe(reason)
  near.destroy()
  far.destroy()
})

test('whatever comes, there is an answer or an end, and never an exception of another kind', async () => {
  const piece = fc.constantFrom(
    'GET ',
    'POST ',
    '/',
    '/secret',
    ' HTTP/1.1',
    ' HTTP/1.0',
    '\r\n',
    '\n',
    '\r',
    'Host: h',
    'Connection: close',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Content-Length: ',
    '5',
    'Transfer-Encoding: chunked',
    ':',
    ' ',
    '\0',
    '\xff',
    'Ä',
  )
  const head = fc.oneof(
    fc.array(piece, { maxLength: 30 }).map((pieces) => Buffer.from(pieces.join(''), 'latin1')),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  )
  await fc.assert(
    fc.asyncProperty(head, async (bytes) => {
      const { near, found } = await visit(pairs[4]![1])
      const received = drain(near)
      near.end(bytes)
      const outcome = await found
      if ('target' in outcome) expect(bytes.toString('latin1')).toContain('/secret')
      else expect(['PT_CLOSED', 'PT_HANDSHAKE']).toContain((outcome as { code?: string }).code)
      near.destroy()
      await received.catch(() => undefined)
    }),
    { numRuns: 300 },
  )
})
