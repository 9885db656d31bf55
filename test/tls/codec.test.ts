/** The records after a handshake without a stream: cut anywhere, in memory that is used again, with updates of keys and the last words. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Established } from '../../src/tls/handshake.ts'
import { AlertFromServer } from '../../src/tls/handshake-wire.ts'
import { updatedSecret } from '../../src/tls/key-schedule.ts'
import { RecordOpener, RecordSealer } from '../../src/tls/record.ts'
import { RecordCutter } from '../../src/tls/record-cutter.ts'
import { suiteOf } from '../../src/tls/suites.ts'
import { TlsCodec } from '../../src/tls/tls-codec.ts'
import { TlsFault } from '../../src/tls/alert.ts'
import { failureOf } from '../support.ts'

const suite = suiteOf(0x1301)!
const [clientSecret, serverSecret] = [randomBytes(32), randomBytes(32)]

function codecOf(recordSizeLimit?: number, mayEndAbruptly = false): TlsCodec {
  const established: Established = {
    suite,
    clientSecret,
    serverSecret,
    resumptionSecret: randomBytes(32),
    alpn: undefined,
    resumed: false,
    certificates: [],
    recordSizeLimit,
  }
  return new TlsCodec({ established, onTicket: () => undefined, mayEndAbruptly })
}

/** Cuts `bytes` at these places. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return sorted.slice(1).map((end, at) => bytes.subarray(sorted[at], end))
}

/** Gives chunks one by one in the same memory, which is filled with other bytes in between, as sockets are read. */
function* inSharedMemory(chunks: readonly Buffer[]): Generator<Buffer> {
  const memory = Buffer.alloc(Math.max(...chunks.map(({ length }) => length)))
  for (const chunk of chunks) {
    chunk.copy(memory)
    yield memory.subarray(0, chunk.length)
    memory.fill(0x17)
  }
}

const records = (bytes: Buffer): Buffer[] => {
  const cutter = new RecordCutter()
  cutter.add(bytes)
  const all: Buffer[] = []
  for (let one = cutter.next(true); one !== undefined; one = cutter.next(true)) all.push(one)
  expect(cutter.takeRest()).toHaveLength(0)
  return all
}

describe('decoding', () => {
  const contents = fc.array(fc.uint8Array({ minLength: 1, maxLength: 600 }), { minLength: 1, maxLength: 8 })

  test('gives the content of all records, wherever the bytes are cut, though their memory is used again', () => {
    fc.assert(
      fc.property(contents, fc.array(fc.nat(), { maxLength: 30 }), (parts, places) => {
        const sealer = new RecordSealer(suite, serverSecret)
        const wire = Buffer.concat(parts.map((part) => sealer.seal(23, part)))
        const codec = codecOf()
        const got: Buffer[] = []
        for (const chunk of inSharedMemory(cutAt(wire, places))) got.push(...codec.decode(chunk))
        expect(Buffer.concat(got)).toEqual(Buffer.concat(parts))
      }),
    )
  })

  test('gives it byte by byte too, and a whole record of the greatest length', () => {
    const content = randomBytes(16_384)
    const wire = new RecordSealer(suite, serverSecret).seal(23, content)
    const codec = codecOf()
    const got: Buffer[] = []
    for (const byte of wire) got.push(...codec.decode(Buffer.of(byte)))
    expect(got).toEqual([content])
  })

  test('what comes after close_notify is not looked at', () => {
    const sealer = new RecordSealer(suite, serverSecret)
    const codec = codecOf()
    const last = sealer.seal(23, Buffer.from('last'))
    const wire = Buffer.concat([last, sealer.seal(21, Buffer.of(1, 0)), Buffer.from('no record')])
    expect(() => codec.end()).toThrow('close_notify')
    expect([...codec.decode(wire)].map(String)).toEqual(['last'])
    expect(codec.isOver).toBe(true)
    expect([...codec.decode(Buffer.from('nor this'))]).toEqual([])
    expect(() => codec.end()).not.toThrow()
  })

  test('an end without close_notify is an ordinary one if that was asked for, and never amid a record', () => {
    const record = new RecordSealer(suite, serverSecret).seal(23, Buffer.from('data'))
    const codec = codecOf(undefined, true)
    expect([...codec.decode(record)].map(String)).toEqual(['data'])
    expect(() => codec.end()).not.toThrow()
    expect(codec.isOver).toBe(true)
    for (let length = 1; length < record.length; length++) {
      const cut = codecOf(undefined, true)
      expect([...cut.decode(record.subarray(0, length))]).toEqual([])
      expect(() => cut.end()).toThrow('close_notify')
    }
  })

  test('gives what came before a record that was altered', () => {
    const sealer = new RecordSealer(suite, serverSecret)
    const wire = Buffer.concat([sealer.seal(23, Buffer.from('good')), sealer.seal(23, Buffer.from('bad'))])
    wire[wire.length - 1]! ^= 1
    const got: string[] = []
    const read = (): void => {
      for (const content of codecOf().decode(wire)) got.push(String(content))
    }
    expect(read).toThrow('altered on the way')
    expect(got).toEqual(['good'])
  })
})

describe('encoding', () => {
  test('makes records that open to the payload, none longer than the server wants', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3_000 }), fc.integer({ min: 64, max: 2_000 }), (payload, limit) => {
        const opener = new RecordOpener(suite, clientSecret)
        const opened = records(codecOf(limit).encode(payload)).map((record) => opener.open(record))
        expect(Buffer.concat(opened.map(({ content }) => content))).toEqual(Buffer.from(payload))
        expect(opened.every(({ type, content }) => type === 23 && content.length < limit)).toBe(true)
        expect(opened).toHaveLength(Math.ceil(payload.length / (limit - 1)))
      }),
    )
  })

  test('of 64 KiB makes four full records', () => {
    expect(records(codecOf().encode(Buffer.alloc(65_536))).map(({ length }) => length)).toEqual(
      Array.from({ length: 4 }, () => 16_384 + 22),
    )
  })

  test('uses its memory again, unless the last records are held', () => {
    const codec = codecOf()
    const first = codec.encode(Buffer.from('one'))
    const copy = Buffer.from(first)
    codec.hold()()
    const second = codec.encode(Buffer.from('two'))
    expect(first.equals(copy)).toBe(true)
    expect(codec.encode(Buffer.from('six')).buffer).toBe(second.buffer)
  })

  test('is preceded by our update of keys if the server asks for one, however often it has asked', () => {
    const codec = codecOf()
    const asking = Buffer.from('1800000101', 'hex')
    let secret: Buffer = serverSecret
    for (let times = 0; times < 3; times++) {
      expect([...codec.decode(new RecordSealer(suite, secret).seal(22, asking))]).toEqual([])
      secret = updatedSecret(suite, secret)
    }
    expect(codec.owesUpdate).toBe(true)
    const [update, data, ...others] = records(codec.encode(Buffer.from('data')))
    expect(new RecordOpener(suite, clientSecret).open(update!)).toEqual({
      type: 22,
      content: Buffer.from('1800000100', 'hex'),
    })
    const opener = new RecordOpener(suite, updatedSecret(suite, clientSecret))
    expect([String(opener.open(data!).content), others]).toEqual(['data', []])
    expect(codec.owesUpdate).toBe(false)
  })
})

test('the last words are close_notify, or the alert of a fault; an alert of the server and a broken connection are not answered', () => {
  const said = (error?: unknown): string => {
    const bytes = codecOf().farewell(error)
    return bytes.length === 0 ? '' : new RecordOpener(suite, clientSecret).open(bytes).content.toString('hex')
  }
  expect([said(), said(new TlsFault('bad_record_mac', ''))]).toEqual(['0100', '0214'])
  expect([said(new AlertFromServer(80)), said(new Error('reset'))]).toEqual(['', ''])
})

describe('records that are cut out of chunks', () => {
  test('are views of the chunk; of a record in pieces nothing refers to the chunk', () => {
    const cutter = new RecordCutter()
    const chunk = Buffer.from('1703030002aabb1703030003cc', 'hex')
    cutter.add(chunk)
    expect(cutter.next(true)!.buffer).toBe(chunk.buffer)
    expect(cutter.next(true)).toBeUndefined()
    chunk.fill(0)
    cutter.add(Buffer.from('ddee17', 'hex'))
    expect(cutter.next(true)!.toString('hex')).toBe('1703030003ccddee')
    expect(cutter.next(true)).toBeUndefined()
    expect(cutter.takeRest().toString('hex')).toBe('17')
  })

  test('every strict prefix waits, and its bytes can be taken back', () => {
    const record = Buffer.from('1703030003aabbcc', 'hex')
    for (let length = 0; length < record.length; length++) {
      const cutter = new RecordCutter()
      cutter.add(record.subarray(0, length))
      expect(cutter.next(true)).toBeUndefined()
      expect(cutter.takeRest()).toEqual(record.subarray(0, length))
    }
  })

  test('a length that is too great is refused when its header is there, in pieces too', async () => {
    for (const pieces of [['1703034101'], ['17', '03034101'], ['170303', '41', '01']]) {
      const cutter = new RecordCutter()
      const feed = async (): Promise<void> => {
        for (const piece of pieces) {
          cutter.add(Buffer.from(piece, 'hex'))
          expect(cutter.next(true)).toBeUndefined()
        }
      }
      expect((await failureOf(feed())).message).toContain('too long')
    }
  })
})
