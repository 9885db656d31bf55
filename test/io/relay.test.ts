import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { readExactly } from '../../src/io/read.ts'
import type { DirectCodec } from '../../src/io/carry/codec.ts'
import { endTogether, framed } from '../../src/io/carry/framed.ts'
import type { RelayCount } from '../../src/io/carry/relay.ts'
import { relay } from '../../src/io/carry/relay.ts'
import { splice } from '../../src/io/carry/splice.ts'
import { failureOf } from '../support.ts'
import { drain, pairs, settle, socketPair, tcpPair, untilStill } from './streams.ts'
import { lend } from '../../src/io/tcp/read-memory.ts'

type Carry = typeof relay

/** Changes nothing, and lends what it gives in the smallest memory there can be: a place for each call that is held. */
function lendingCodec(): DirectCodec {
  let output = Buffer.alloc(1 << 16)
  const give = (bytes: Uint8Array): Buffer => {
    output.fill(0xee)
    output.set(bytes)
    return output.subarray(0, bytes.length)
  }
  const hold = (): (() => void) => {
    const held = output
    output = Buffer.alloc(1 << 16)
    return () => void held.fill(0xdd)
  }
  return { input: lend(Buffer.alloc(1 << 16)), encode: give, decode: (chunk) => [give(chunk)], hold }
}

const same = (bytes: Uint8Array): Uint8Array => bytes

/** By splice() through a codec, or by relay() if that does not apply. With a codec the wire closes before a signal can abort. */
const spliced: Carry = (a, b, options) =>
  (options?.signal === undefined
    ? splice(a, framed(b, { encode: same, decode: (chunk) => [chunk], direct: lendingCodec() }), options)
    : undefined) ?? relay(a, b, options)

/** By splice() from socket to socket. */
const splicedPlain: Carry = (a, b, options) => splice(a, b, options) ?? relay(a, b, options)

const drivers: readonly (readonly [name: string, make: (typeof pairs)[number][1], relay: Carry])[] = [
  ...pairs.map(([name, make]) => [`streams, ${name}`, make, relay] as const),
  ['splice, a TCP connection', socketPair, spliced],
  ['splice, a TCP connection of a PT', tcpPair, spliced],
  ['splice without a codec, a TCP connection', socketPair, splicedPlain],
  ['splice without a codec, a TCP connection of a PT', tcpPair, splicedPlain],
]

/** As the PT is by its option. */
const halfOpen = { halfOpen: true }

const closed = { name: 'PtError', code: 'PT_CLOSED' }

/** What most programs do once they have read all. */
function hangUpAtEnd(stream: Duplex): void {
  stream.once('end', () => stream.end()).resume()
}

/** How many bytes have been read of a stream so far. */
function count(stream: Duplex): () => number {
  if ('bytesRead' in stream) return () => (stream as Socket).bytesRead - stream.readableLength
  let size = 0
  stream.on('data', (chunk: Buffer) => (size += chunk.length)).pause()
  return () => size
}

/** Reads up to the end, a chunk each turn. */
async function drainSlowly(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer)
    await settle(1)
  }
  return Buffer.concat(chunks)
}

/** As a PT carries: what `b` is or stands on is the wire. */
const carriers: readonly (readonly [name: string, carry: (a: Duplex, b: Duplex) => Promise<RelayCount>])[] = [
  ['relay', (a, b) => relay(a, b, { wire: b })],
  ['relay, framed', (a, b) => carryFramed(a, b)],
  ['splice', (a, b) => splice(a, framed(b, { encode: same, decode: (chunk) => [chunk], direct: lendingCodec() }))!],
  ['splice without a codec', (a, b) => splice(a, b, { wire: b })!],
]

function carryFramed(a: Duplex, b: Duplex): Promise<RelayCount> {
  const wire = framed(b, { encode: same, decode: (chunk) => [chunk] })
  endTogether(wire)
  return relay(a, wire, { wire })
}

describe.each(
  carriers.flatMap(([name, carry]) =>
    (
      [
        ['sockets of Node', socketPair],
        ['sockets of a PT', tcpPair],
      ] as const
    ).map(([kind, make]) => [`${name}, ${kind}`, carry, make] as const),
  ),
)('the first end ends both, %s', (_name, carry, make) => {
  /** application ⇄ [a carry b] ⇄ peer */
  async function bridge(): Promise<{ application: Duplex; peer: Duplex; b: Duplex; done: Promise<RelayCount> }> {
    const [application, a] = await make()
    const [b, peer] = await make()
    const done = carry(a, b)
    done.catch(() => undefined)
    return { application, peer, b, done }
  }

  it('the end of the application closes the wire, with all that was written, whatever the peer does', async () => {
    const { application, peer, b, done } = await bridge()
    const bytes = Buffer.alloc(3 << 20, 'all of it')
    application.end(bytes)
    // The peer does not end: its own end is not waited for.
    expect((await drain(peer)).equals(bytes)).toBe(true)
    await vi.waitUntil(() => b.destroyed)
    expect(String(await drain(application))).toBe('')
    expect(await done).toEqual({ fromA: bytes.length, fromB: 0 })
  })

  it('the end of the wire closes it, and the application has all that came and the end', async () => {
    const { application, peer, b, done } = await bridge()
    const bytes = Buffer.alloc(3 << 20, 'all of it')
    peer.end(bytes)
    expect((await drain(application)).equals(bytes)).toBe(true)
    await vi.waitUntil(() => b.destroyed)
    expect(String(await drain(peer))).toBe('')
    application.end()
    expect(await done).toEqual({ fromA: 0, fromB: bytes.length })
  })

  it('the application that resets in a download stops it: nothing more is read of the wire', async () => {
    const { application, peer, b, done } = await bridge()
    const lost = new Promise((resolve) => peer.once('close', resolve))
    let sent = 0
    const chunk = Buffer.alloc(1 << 16)
    const more = (): void => {
      while (!peer.destroyed && peer.write(chunk)) sent += chunk.length
    }
    peer.on('drain', more)
    more()
    await readExactly(application, 1 << 20)
    application.destroy()
    await vi.waitUntil(() => b.destroyed)
    const atEnd = sent
    await lost
    // What the kernels hold, and no five seconds of download.
    expect(sent - atEnd).toBeLessThan(8 << 20)
    await done.catch(() => undefined)
  })
})

describe.each(drivers)('%s', (_name, make, relay) => {
  /** left ⇄ [a relay b] ⇄ right */
  async function bridge(): Promise<{ left: Duplex; a: Duplex; b: Duplex; right: Duplex }> {
    const [left, a] = await make()
    const [b, right] = await make()
    return { left, a, b, right }
  }

  it('half-open: carries both ways, counts, and ends when both directions have ended', async () => {
    const { left, a, b, right } = await bridge()
    const done = relay(a, b, halfOpen)
    left.end('to the right')
    right.end('left')
    const [atRight, atLeft] = await Promise.all([drain(right), drain(left)])
    expect([String(atRight), String(atLeft)]).toEqual(['to the right', 'left'])
    expect(await done).toEqual({ fromA: 12, fromB: 4 })
    expect([a.destroyed, b.destroyed]).toEqual([true, true])
  })

  it('half-close: the end of A is passed on, and B still answers', async () => {
    const { left, a, b, right } = await bridge()
    const done = relay(a, b, halfOpen)
    left.end('question')
    expect(String(await drain(right))).toBe('question')
    right.end('answer')
    expect(String(await drain(left))).toBe('answer')
    expect(await done).toEqual({ fromA: 8, fromB: 6 })
  })

  it('half-close: the end of B is passed on, and A still answers', async () => {
    const { left, a, b, right } = await bridge()
    const done = relay(a, b, halfOpen)
    right.end('question')
    expect(String(await drain(left))).toBe('question')
    left.end('answer')
    expect(String(await drain(right))).toBe('answer')
    expect(await done).toEqual({ fromA: 6, fromB: 8 })
  })

  it('an end that was read before is passed on as well', async () => {
    const { left, a, b, right } = await bridge()
    left.end()
    await drain(a)
    const done = relay(a, b, halfOpen)
    expect(await drain(right)).toHaveLength(0)
    right.end('late')
    expect(String(await drain(left))).toBe('late')
    expect(await done).toEqual({ fromA: 0, fromB: 4 })
  })

  it('carries what a handshake left in the stream, even where the stream is paused', async () => {
    const { left, a, b, right } = await bridge()
    left.write('handshakepayload')
    await readExactly(a, 9)
    a.pause()
    const done = relay(a, b)
    left.end()
    expect(String(await drain(right))).toBe('payload')
    right.end()
    left.resume()
    await done
  })

  it('an error of one side ends the other, and is the reason', async () => {
    const { a, b, right } = await bridge()
    hangUpAtEnd(right)
    const done = relay(a, b)
    a.destroy(new Error('broken cable'))
    await expect(done).rejects.toThrow('broken cable')
    expect(b.destroyed).toBe(true)
  })

  it('PT_CLOSED: a side that is closed before its end takes the other with it', async () => {
    const { left, a, b } = await bridge()
    hangUpAtEnd(left)
    const done = relay(a, b)
    b.destroy()
    await expect(done).rejects.toMatchObject(closed)
    expect(a.destroyed).toBe(true)
  })

  it('PT_CLOSED: a side that is gone at the start ends the other', async () => {
    const { a, b, right } = await bridge()
    hangUpAtEnd(right)
    a.destroy()
    await once(a, 'close')
    await expect(relay(a, b)).rejects.toMatchObject(closed)
    expect(b.destroyed).toBe(true)
  })

  it('PT_CLOSED: after one direction has ended, the loss of the other is still an error', async () => {
    const { left, a, b, right } = await bridge()
    hangUpAtEnd(left)
    const done = relay(a, b, halfOpen)
    left.end('x')
    await drain(right)
    b.destroy()
    await expect(done).rejects.toMatchObject(closed)
    expect(a.destroyed).toBe(true)
  })

  it.each([
    ['an error', new Error('broken cable')],
    ['an early close', undefined],
  ])('FLOW-6: after %s in the middle of 8 MiB, all that was read reaches a slow reader', async (_what, error) => {
    const { left, a, b, right } = await bridge()
    const taken = count(a)
    const done = failureOf(relay(a, b))
    const bytes = Buffer.from(Array.from({ length: 8 << 20 }, (_, at) => (at * 7) & 255))
    for (let at = 0; at < bytes.length; at += 1 << 16) left.write(bytes.subarray(at, at + (1 << 16)))
    await untilStill(() => taken() + a.readableLength)
    const read = taken() + a.readableLength
    expect(read).toBeLessThan(bytes.length)
    a.destroy(error)
    expect((await drainSlowly(right)).equals(bytes.subarray(0, read))).toBe(true)
    right.end()
    expect(await done).toMatchObject(error ?? closed)
  })

  it('FLOW-6: an application that still sends gets all that was read of the other side before it failed', async () => {
    const { left, a, b, right } = await bridge()
    const taken = count(b)
    const done = failureOf(relay(a, b))
    const bytes = Buffer.from(Array.from({ length: 8 << 20 }, (_, at) => (at * 7) & 255))
    for (let at = 0; at < bytes.length; at += 1 << 16) right.write(bytes.subarray(at, at + (1 << 16)))
    await untilStill(() => taken() + b.readableLength)
    const read = taken() + b.readableLength
    expect(read).toBeLessThan(bytes.length)
    // Unread, this would turn the close into a reset, and that would take along what is on its way to the application.
    left.write(Buffer.alloc(100_000))
    b.destroy(new Error('broken cable'))
    expect((await drainSlowly(left)).equals(bytes.subarray(0, read))).toBe(true)
    left.end()
    expect(await done).toMatchObject({ message: 'broken cable' })
  })

  it('an application that neither reads nor hangs up after the failure of the other has five seconds', async () => {
    const { a, b, right } = await bridge()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const done = relay(a, b)
    right.write(Buffer.alloc(8 << 20))
    await untilStill(() => [b.readableLength, a.writableLength, right.writableLength])
    b.destroy()
    await settle()
    vi.advanceTimersByTime(4_999)
    await settle()
    expect(a.destroyed).toBe(false)
    vi.advanceTimersByTime(1)
    await expect(done).rejects.toMatchObject(closed)
    expect(a.destroyed).toBe(true)
  })

  it('what an application still sends after the failure of the other is read up to 256 KiB, and no further', async () => {
    const { left, a, b } = await bridge()
    const taken = count(a)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const done = failureOf(relay(a, b))
    b.destroy()
    await settle()
    for (let sent = 0; sent < 256; sent++) left.write(Buffer.alloc(1 << 16))
    await untilStill(() => taken() + a.readableLength)
    expect(taken()).toBeGreaterThan(262_143)
    expect(taken() + a.readableLength).toBeLessThan(2 * 262_144)
    vi.advanceTimersByTime(5_000)
    expect(await done).toMatchObject(closed)
  })

  it('half-open: PT_TIMEOUT after a minute in which nothing came on a half-closed connection', async () => {
    const { left, a, b, right } = await bridge()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const done = failureOf(relay(a, b, halfOpen))
    left.end('question')
    await drain(right)
    vi.advanceTimersByTime(59_000)
    right.write('so far')
    expect(String(await readExactly(left, 6))).toBe('so far')
    vi.advanceTimersByTime(59_000)
    await settle()
    expect(b.destroyed).toBe(false)
    vi.advanceTimersByTime(61_000)
    await settle()
    vi.advanceTimersByTime(5_000)
    expect(await done).toMatchObject({ code: 'PT_TIMEOUT' })
    expect([a.destroyed, b.destroyed]).toEqual([true, true])
  })

  it('aborting after a failure ends the wait at once', async () => {
    const { a, b } = await bridge()
    const controller = new AbortController()
    const done = relay(a, b, { signal: controller.signal })
    a.destroy(new Error('broken cable'))
    await settle()
    expect(b.destroyed).toBe(false)
    controller.abort(new Error('shutting down'))
    await expect(done).rejects.toThrow('broken cable')
    expect(b.destroyed).toBe(true)
  })

  it('aborting destroys both, at the start and in the middle', async () => {
    const controller = new AbortController()
    const middle = await bridge()
    const done = relay(middle.a, middle.b, { signal: controller.signal })
    middle.left.write('x')
    await once(middle.right, 'readable')
    controller.abort(new Error('shutting down'))
    await expect(done).rejects.toThrow('shutting down')
    expect([middle.a.destroyed, middle.b.destroyed]).toEqual([true, true])
    const late = await bridge()
    await expect(relay(late.a, late.b, { signal: controller.signal })).rejects.toThrow('shutting down')
    expect([late.a.destroyed, late.b.destroyed]).toEqual([true, true])
  })

  it('FLOW-6: a reader that stops bounds what the relay holds, and the other direction goes on', async () => {
    const { left, a, b, right } = await bridge()
    const done = relay(a, b, halfOpen)
    const chunk = Buffer.alloc(1 << 16)
    const chunks = 512
    for (let sent = 0; sent < chunks; sent++) left.write(chunk)
    await untilStill(() => [a.readableLength, b.writableLength, left.writableLength])
    const held = a.readableLength + b.writableLength
    expect(held).toBeLessThanOrEqual(a.readableHighWaterMark + b.writableHighWaterMark + 4 * chunk.length)
    right.write('still here')
    expect(String(await readExactly(left, 10))).toBe('still here')
    left.end()
    const arrived = drain(right)
    right.end()
    left.resume()
    expect((await arrived).length).toBe(chunks * chunk.length)
    expect(await done).toEqual({ fromA: chunks * chunk.length, fromB: 10 })
  })

  it('every byte arrives through a relay of codecs', async () => {
    const { left, a, b, right } = await bridge()
    const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => ~byte)
    const codec = { encode: flip, decode: (bytes: Uint8Array) => [flip(bytes)] }
    const done = relay(framed(a, codec), framed(b, codec))
    const bytes = Buffer.from(Array.from({ length: 1 << 20 }, (_, at) => (at * 7) & 255))
    left.end(bytes)
    expect((await drain(right)).equals(bytes)).toBe(true)
    right.end()
    left.resume()
    expect(await done).toEqual({ fromA: bytes.length, fromB: 0 })
  })
})

it('no relay leaves a listener on the signal', async () => {
  const controller = new AbortController()
  let held = 0
  const { signal } = controller
  const add = signal.addEventListener.bind(signal) as (...args: unknown[]) => void
  const remove = signal.removeEventListener.bind(signal) as (...args: unknown[]) => void
  signal.addEventListener = (...args: unknown[]) => (held++, add(...args))
  signal.removeEventListener = (...args: unknown[]) => (held--, remove(...args))
  for (let times = 0; times < 10; times++) {
    const [left, a] = duplexPair({ allowHalfOpen: true })
    const [b, right] = await socketPair()
    const done = relay(a, b, { signal })
    left.end('x')
    right.end()
    right.resume()
    left.resume()
    await done
  }
  expect(held).toBe(0)
})
