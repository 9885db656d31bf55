import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { readExactly } from '../../src/io/read.ts'
import type { Codec, PacedCodec } from '../../src/io/carry/codec.ts'
import { framed } from '../../src/io/carry/framed.ts'
import { drain, pairs, settle, socketPair, untilStill } from './streams.ts'

const identity: Codec = { encode: (bytes) => bytes, decode: (bytes) => [bytes] }

/** One length byte, then the payload; a length of 255 is refused. Shows what a real codec does: hold, split, fail. */
function lengthPrefixed(): Codec {
  let held = Buffer.alloc(0)
  return {
    encode(payload) {
      const frames: Uint8Array[] = []
      for (let at = 0; at < payload.length; at += 200) {
        const part = payload.subarray(at, at + 200)
        frames.push(Uint8Array.of(part.length), part)
      }
      return Buffer.concat(frames)
    },
    *decode(chunk) {
      held = Buffer.concat([held, chunk])
      while (held.length > 0 && held.length > held.readUInt8()) {
        const frame = held.subarray(1, 1 + held.readUInt8())
        held = held.subarray(1 + held.readUInt8())
        yield frame
        if (held[0] === 255) throw new Error('bad frame')
      }
    },
    end() {
      if (held.length > 0) throw new Error('cut frame')
    },
  }
}

function memoryPair(): [Duplex, Duplex] {
  return duplexPair({ allowHalfOpen: true })
}

/** Sends each byte in a piece of its own, once `step` has been called for it. */
function stepwise(): { codec: PacedCodec; step(): void; readonly sent: number } {
  const steps: (() => void)[] = []
  let sent = 0
  const codec: PacedCodec = {
    async send(payload, write) {
      for (const byte of payload) {
        await new Promise<void>((resolve) => steps.push(resolve))
        await write(Uint8Array.of(byte))
        sent++
      }
    },
    decode: (bytes) => [bytes],
  }
  return {
    codec,
    step: () => steps.shift()?.(),
    get sent() {
      return sent
    },
  }
}

describe.each(pairs)('a codec that chooses when it sends, on %s', (_name, make) => {
  it('a preface goes out in a write of its own, before the first bytes and not without them', async () => {
    const [near, far] = await make()
    const write = vi.spyOn(near, 'write')
    const app = framed(near, { ...identity, preface: () => Buffer.from('preface, ') })
    const received = drain(far)
    app.write('')
    await settle()
    expect(write).not.toHaveBeenCalled()
    app.write('up ')
    app.end('and on')
    expect(String(await received)).toBe('preface, up and on')
    expect(write.mock.calls.map(([bytes]) => String(bytes))).toEqual(['preface, ', 'up ', 'and on'])
  })

  it('sends one write after the other, and the end behind the last', async () => {
    const [near, far] = await make()
    const paced = stepwise()
    const app = framed(near, paced.codec)
    const written: string[] = []
    app.write('abc', () => written.push('abc'))
    app.end('de')
    const received = drain(far)
    for (const expected of [0, 1, 2]) {
      expect([paced.sent, written]).toEqual([expected, []])
      paced.step()
      await vi.waitUntil(() => paced.sent === expected + 1)
      await settle()
    }
    expect(written).toEqual(['abc'])
    paced.step()
    await vi.waitUntil(() => paced.sent === 4)
    await settle()
    paced.step()
    expect(String(await received)).toBe('abcde')
  })

  it('a write that is being sent is answered when the connection closes', async () => {
    const [near] = await make()
    const paced = stepwise()
    const app = framed(near, paced.codec)
    const written = new Promise<Error | null | undefined>((resolve) => {
      app.write('abc', resolve)
    })
    near.destroy()
    expect(await written).toMatchObject({ code: 'PT_CLOSED' })
    paced.step()
    await settle()
    expect(paced.sent).toBe(0)
  })

  it('what it rejects with ends the stream', async () => {
    const [near] = await make()
    const app = framed(near, { ...stepwise().codec, send: () => Promise.reject(new Error('no way to send')) })
    app.write('abc')
    expect(await once(app, 'error')).toMatchObject([{ message: 'no way to send' }])
    expect(near.destroyed).toBe(true)
  })
})

describe.each(pairs)('on %s', (_name, make) => {
  it('carries bytes both ways, through any chunking of the wire', async () => {
    const [near, far] = await make()
    const app = framed(near, lengthPrefixed())
    app.write('hello')
    app.end(' world')
    expect(await drain(far)).toEqual(Buffer.from('\x05hello\x06 world'))
    const received = drain(app)
    for (const byte of '\x03abc\x00\x02de') {
      far.write(byte)
      await settle(1)
    }
    far.end()
    expect(String(await received)).toBe('abcde')
  })

  it('half-close: what the application ends, the peer sees, and the other direction stays open', async () => {
    const [near, far] = await make()
    const app = framed(near, identity)
    app.end('question')
    expect(String(await drain(far))).toBe('question')
    far.end('answer')
    expect(String(await drain(app))).toBe('answer')
    await vi.waitUntil(() => near.closed)
  })

  it('half-close: what the peer ends, the application sees, and can still answer', async () => {
    const [near, far] = await make()
    const app = framed(near, identity)
    far.end('question')
    expect(String(await drain(app))).toBe('question')
    app.end('answer')
    expect(String(await drain(far))).toBe('answer')
  })

  it('the end of a peer that the handshake has read already is not missed', async () => {
    const [near, far] = await make()
    far.end('handshake')
    await readExactly(near, 9)
    await drain(near)
    expect(near.readableEnded).toBe(true)
    const app = framed(near, identity)
    expect(await drain(app)).toHaveLength(0)
    app.end('still open')
    expect(String(await drain(far))).toBe('still open')
  })

  it('a frame that the end of the stream cuts is an error behind the whole frames', async () => {
    const [near, far] = await make()
    const app = framed(near, lengthPrefixed())
    far.end('\x03abc\x05d')
    await expectDataThenError(app, 'abc', 'cut frame')
  })

  it('payloads decoded before a bad frame are read before its error', async () => {
    const [near, far] = await make()
    const app = framed(near, lengthPrefixed())
    far.write(Buffer.from('\x03abc\x02de\xff', 'latin1'))
    await expectDataThenError(app, 'abcde', 'bad frame')
    expect(near.destroyed).toBe(true)
  })

  it('payloads decoded before the connection breaks are read before its error', async () => {
    const [near, far] = await make()
    const app = framed(near, identity)
    far.write('abc')
    app.read(0)
    await vi.waitUntil(() => app.readableLength === 3)
    near.destroy(new Error('broken cable'))
    await settle()
    await expectDataThenError(app, 'abc', 'broken cable')
  })

  it('payloads decoded before the connection closes are read, although both its ends are through', async () => {
    const [near, far] = await make()
    const app = framed(near, identity)
    app.end()
    far.end('abc')
    await drain(far)
    app.read(0)
    await once(near, 'close')
    expect(String(await drain(app))).toBe('abc')
  })

  it('a write that waits for the connection is answered when the connection closes', async () => {
    const [near] = await make()
    const app = framed(near, identity)
    const written = new Promise<Error | null | undefined>((resolve) => {
      app.write(Buffer.alloc(64 << 20), resolve)
    })
    await settle()
    near.destroy()
    expect(await written).toMatchObject({ name: 'PtError', code: 'PT_CLOSED' })
    expect(app.destroyed).toBe(true)
  })

  it('a write into a connection that is gone is answered too', async () => {
    const [near] = await make()
    const app = framed(near, identity)
    near.destroy()
    await expect(
      new Promise((resolve, reject) => app.write('x', (error) => (error ? reject(error) : resolve(0)))),
    ).rejects.toThrow(/./)
    await vi.waitUntil(() => app.closed)
  })

  it('destroying it destroys the connection, and the other way round, without an error', async () => {
    const [near] = await make()
    const app = framed(near, identity)
    app.destroy()
    expect(near.destroyed).toBe(true)
    const [other] = await make()
    const second = framed(other, identity)
    other.destroy()
    await once(second, 'close')
    expect(second.errored).toBeNull()
  })

  it('nothing is decoded before the application reads, and a reader that stops bounds the memory', async () => {
    const [near, far] = await make()
    let decoded = 0
    const app = framed(near, { encode: (bytes) => bytes, decode: (bytes) => [((decoded += bytes.length), bytes)] })
    const sent = 64 << 20
    let offered = 0
    const chunk = Buffer.alloc(1 << 16)
    const offer = (): void => {
      while (offered < sent && far.write(chunk)) offered += chunk.length
    }
    far.on('drain', offer)
    offer()
    await untilStill(() => [offered, decoded])
    expect(decoded).toBe(0)
    app.read(0)
    await untilStill(() => [offered, decoded])
    expect(decoded).toBeGreaterThan(0)
    expect(decoded).toBeLessThanOrEqual(1 << 18)
    expect(app.readableLength + near.readableLength).toBeLessThanOrEqual(1 << 18)
  })

  it('a peer that does not read makes the application wait', async () => {
    const [near] = await make()
    const app = framed(near, identity)
    let taken = 0
    const chunk = Buffer.alloc(1 << 16)
    for (let times = 0; times < 1024; times++) app.write(chunk, () => taken++)
    await untilStill(() => taken)
    expect(taken).toBeLessThan(512)
    expect(near.writableLength).toBeLessThanOrEqual(near.writableHighWaterMark + 2 * chunk.length)
  })

  it('carries 8 MiB through async iteration and pipeline, whole', async () => {
    const [near, far] = await make()
    const app = framed(near, lengthPrefixed())
    const echo = framed(far, lengthPrefixed())
    const whole = Buffer.from(Array.from({ length: 1 << 16 }, (_, at) => (at * 31) & 255))
    const echoed = pipeline(echo, echo)
    const sent = (async () => {
      for (let times = 0; times < 128; times++) if (!app.write(whole)) await once(app, 'drain')
      app.end()
    })()
    const received: Buffer[] = []
    for await (const part of app as AsyncIterable<Buffer>) received.push(part)
    await Promise.all([sent, echoed])
    expect(Buffer.concat(received).equals(Buffer.concat(Array(128).fill(whole)))).toBe(true)
  })
})

it('an error waits for a reader without using the processor', async () => {
  const [near, far] = memoryPair()
  const app = framed(near, lengthPrefixed())
  far.write(Buffer.from('\x03abc\xff', 'latin1'))
  app.read(0)
  await settle()
  const length = vi.spyOn(app, 'readableLength', 'get')
  // A loop that looks again would look once in each of these turns.
  await settle(50)
  expect(length).not.toHaveBeenCalled()
  length.mockRestore()
  await expectDataThenError(app, 'abc', 'bad frame')
})

it('a reader may put bytes back while an error waits', async () => {
  const [near, far] = memoryPair()
  const app = framed(near, lengthPrefixed())
  far.write(Buffer.from('\x05abcde\xff', 'latin1'))
  expect(String(await readExactly(app, 2))).toBe('ab')
  const rest = app.read() as Buffer
  app.unshift(rest)
  await settle()
  expect(String(await readExactly(app, 3))).toBe('cde')
  await expect(readExactly(app, 1)).rejects.toThrow('bad frame')
})

it('a codec that cannot encode ends the stream with its error', async () => {
  const [near] = await socketPair()
  const app = framed(near, {
    ...identity,
    encode: () => {
      throw new Error('counter is used up')
    },
  })
  app.write('x')
  await expect(finished(app)).rejects.toThrow('counter is used up')
  expect(near.destroyed).toBe(true)
})

it('any payloads arrive as they were sent', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 6 }), async (payloads) => {
      const [near, far] = memoryPair()
      const [a, b] = [framed(near, lengthPrefixed()), framed(far, lengthPrefixed())]
      for (const payload of payloads) a.write(payload)
      a.end()
      expect(await drain(b)).toEqual(Buffer.concat(payloads))
    }),
    { numRuns: 100 },
  )
})

async function expectDataThenError(app: Duplex, data: string, message: string): Promise<void> {
  const events: string[] = []
  app.on('data', (chunk: Buffer) => events.push(String(chunk)))
  await expect(once(app, 'end')).rejects.toThrow(message)
  expect(events.join('')).toBe(data)
}
