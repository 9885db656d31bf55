import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPtError } from '../../../src/error.ts'
import { answerOf } from '../../../src/transports/meek/polling/answer.ts'
import { AnswerReader } from '../../../src/transports/meek/polling/answer-reader.ts'

/** Answers in literal bytes, with what they come to: body, and `closes` if no other request may follow. */
const good: readonly [text: string, body: string, closes?: 'closes'][] = [
  ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', ''],
  ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
  ['HTTP/1.1 200 \r\ncontent-length:5\r\n\r\nhello', 'hello'],
  ['HTTP/1.1 200 OK\nContent-Length: 2\n\nab', 'ab'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nab', 'ab'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, Close\r\n\r\nab', 'ab', 'closes'],
  ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab', 'ab', 'closes'],
  ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\nab', 'ab'],
  ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na', 'a'],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 'hello'],
  [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 9\r\n\r\n3;x="y"\r\nabc\r\nB\r\n de\r\n0\r\n\r\nf\r\n0\r\nX: y\r\n\r\n',
    'abc de\r\n0\r\n\r\nf',
  ],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', ''],
  ['HTTP/1.1 204 No Content\r\n\r\n', ''],
]

function read(bytes: Buffer, sizes: () => number): { done: boolean; reader: AnswerReader; left: number } {
  const reader = new AnswerReader()
  let at = 0
  while (at < bytes.length) {
    const end = at + sizes()
    const done = reader.take(bytes.subarray(at, end))
    at = Math.min(end, bytes.length)
    if (done) return { done, reader, left: bytes.length - at }
  }
  return { done: false, reader, left: 0 }
}

function bodyOf({ body }: AnswerReader): string {
  return Buffer.concat(body.chunks).toString('latin1')
}

describe('an answer', () => {
  test.each(good)('%j holds %j', (text, body, closes) => {
    const bytes = Buffer.from(text, 'latin1')
    for (const sizes of [() => bytes.length, () => 1]) {
      const { done, reader, left } = read(bytes, sizes)
      expect(done).toBe(true)
      expect(left).toBe(0)
      expect(bodyOf(reader)).toBe(body)
      expect(reader.staysOpen).toBe(closes === undefined)
    }
  })

  test('is not complete in any of its strict prefixes', () => {
    for (const [text] of good) {
      for (let length = 0; length < text.length; length++) {
        const reader = new AnswerReader()
        expect(reader.take(Buffer.from(text.slice(0, length), 'latin1')), `${length} of ${JSON.stringify(text)}`).toBe(
          false,
        )
        expect(reader.end()).toBe(false)
      }
    }
  })

  test('comes to the same wherever the network cuts it', () => {
    const property = fc.property(
      fc.constantFrom(...good),
      fc.infiniteStream(fc.integer({ min: 1, max: 20 })),
      ([text, body], sizes) => {
        const { done, reader } = read(Buffer.from(text, 'latin1'), () => sizes.next().value)
        expect(done).toBe(true)
        expect(bodyOf(reader)).toBe(body)
      },
    )
    fc.assert(property, { numRuns: 500 })
  })

  test('that is followed by more bytes is the last one of its connection', () => {
    for (const [text, body] of good) {
      const reader = new AnswerReader()
      expect(reader.take(Buffer.from(`${text}H`, 'latin1'))).toBe(true)
      expect(bodyOf(reader)).toBe(body)
      expect(reader.staysOpen).toBe(false)
    }
  })

  test('without a length goes on up to the end of its connection', () => {
    const reader = new AnswerReader()
    expect(reader.take(Buffer.from('HTTP/1.1 200 OK\r\n\r\nab'))).toBe(false)
    expect(reader.take(Buffer.from('c'))).toBe(false)
    expect(reader.end()).toBe(true)
    expect(bodyOf(reader)).toBe('abc')
    expect(reader.staysOpen).toBe(false)
  })

  test.each([
    ['PT_FRAME', 'SSH-2.0-x\r\n'],
    ['PT_FRAME', 'HTTP/2 200\r\n\r\n'],
    ['PT_FRAME', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['PT_FRAME', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['PT_FRAME', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['PT_FRAME', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['PT_FRAME', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n'],
    ['PT_FRAME', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n'],
    ['PT_FRAME', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n'],
    ['PT_FRAME', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n'],
    ['PT_LIMIT', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(16_384)}`],
    ['PT_LIMIT', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(4_096)}`],
    [
      'PT_LIMIT',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${`X: ${'x'.repeat(4_000)}\r\n`.repeat(5)}`,
    ],
    ['PT_LIMIT', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(1_048_577)}`],
  ])('that is none is refused with %s: %.60j', (code, text) => {
    const take = (): boolean => new AnswerReader().take(Buffer.from(text, 'latin1'))
    expect(take).toThrow(expect.objectContaining({ code }) as Error)
  })

  test.each([
    ['timeout=5', 5_000],
    ['timeout=30, max=100', 30_000],
    ['max=100, timeout=7', 7_000],
    ['max=100', undefined],
  ])('says by Keep-Alive: %s how long a silent connection is kept', (value, expected) => {
    const reader = new AnswerReader()
    reader.take(Buffer.from(`HTTP/1.1 200 OK\r\nKeep-Alive: ${value}\r\nContent-Length: 0\r\n\r\n`))
    expect(reader.idleTime).toBe(expected)
  })

  test('of nothing at all after the head of a body of 65,537 bytes is the end of a session, and no other broken one is', () => {
    const broken = (text: string): boolean | undefined => {
      const reader = new AnswerReader()
      reader.take(Buffer.from(text))
      return reader.broken()?.isEnd
    }
    expect(broken('HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n')).toBe(true)
    expect(broken('HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\na')).toBeUndefined()
    expect(broken('HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n')).toBeUndefined()
    expect(broken('HTTP/1.1 500 Oh\r\nContent-Length: 65537\r\n\r\n')).toBeUndefined()
    expect(broken('HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n')).toBeUndefined()
    expect(broken('')).toBeUndefined()
  })
})

describe('a body that is encoded', () => {
  const decoded = async (bytes: Buffer, encoding: string): Promise<Buffer> => {
    const reader = new AnswerReader()
    reader.body.add(bytes)
    return Buffer.concat((await answerOf(200, reader.body, encoding, undefined)).body)
  }

  test('by gzip is inflated', async () => {
    expect(String(await decoded(gzipSync('hello'), 'gzip'))).toBe('hello')
    expect(String(await decoded(gzipSync('hello'), ' X-GZIP '))).toBe('hello')
    expect(String(await decoded(Buffer.from('hello'), 'identity'))).toBe('hello')
  })

  test('is bounded after it was inflated, too', async () => {
    const bomb = gzipSync(Buffer.alloc(1_048_577))
    await expect(decoded(bomb, 'gzip')).rejects.toMatchObject({ code: 'PT_LIMIT' })
    expect(await decoded(gzipSync(Buffer.alloc(1_048_576)), 'gzip')).toHaveLength(1_048_576)
  })

  test.each(['br', 'deflate', 'gzip, gzip'])('by %s was not offered, and is refused', async (encoding) => {
    const error: unknown = await decoded(Buffer.from('x'), encoding).catch((error: unknown) => error)
    expect(isPtError(error, 'PT_FRAME')).toBe(true)
  })

  test.each([Buffer.from('x'), gzipSync('hello').subarray(0, -1)])(
    'that is not the gzip that it says it is, is refused',
    async (bytes) => {
      await expect(decoded(bytes, 'gzip')).rejects.toMatchObject({ code: 'PT_FRAME' })
    },
  )
})
