import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { framed, readExactly, relay } from '../../src/io/index.ts'
import { drain, pairs, settle, socketPair } from './streams.ts'

const closed = { name: 'PtError', code: 'PT_CLOSED' }

describe.each(pairs)('on %s', (_name, make) => {
  /** left ⇄ [a relay b] ⇄ right */
  async function bridge(): Promise<{ left: Duplex; a: Duplex; b: Duplex; right: Duplex }> {
    const [left, a] = await make()
    const [b, right] = await make()
    return { left, a, b, right }
  }

  it('carries both ways, counts, and ends when both directions have ended', async () => {
    const { left, a, b, right } = await bridge()
    const done = relay(a, b)
    left.end('to the right')
    right.end('left')
    const [atRight, atLeft] = await Promise.all([drain(right), drain(left)])
    expect([String(atRight), String(atLeft)]).toEqual(['to the right', 'left'])
    expect(await done).toEqual({ fromA: 12, fromB: 4 })
    expect([a.destroyed, b.destroyed]).toEqual([true, true])
  })

  it('half-close: the end of A is passed on, and B still answers', async () => {
    const { left, a, b, right } = await bridge()
    const done = relay(a, b)
    left.end('question')
    expect(String(await drain(right))).toBe('question')
    right.end('answer')
    expect(String(await drain(left))).toBe('answer')
    expect(await done).toEqual({ fromA: 8, fromB: 6 })
  })

  it('half-close: the end of B is passed on, and A still answers', async () => {
    const { left, a, b, right } = await bridge()
    const done = relay(a, b)
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
    const done = relay(a, b)
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

  it('an error of one side destroys the other, and is the reason', async () => {
    const { a, b, right } = await bridge()
    right.resume()
    const done = relay(a, b)
    a.destroy(new Error('broken cable'))
    await expect(done).rejects.toThrow('broken cable')
    expect(b.destroyed).toBe(true)
  })

  it('PT_CLOSED: a side that is closed before its end takes the other with it', async () => {
    const { a, b } = await bridge()
    const done = relay(a, b)
    b.destroy()
    await expect(done).rejects.toMatchObject(closed)
    expect(a.destroyed).toBe(true)
  })

  it('PT_CLOSED: a side that is gone at the start ends the relay at once', async () => {
    const { a, b } = await bridge()
    a.destroy()
    await once(a, 'close')
    await expect(relay(a, b)).rejects.toMatchObject(closed)
    expect(b.destroyed).toBe(true)
  })

  it('PT_CLOSED: after one direction has ended, the loss of the other is still an error', async () => {
    const { left, a, b, right } = await bridge()
    const done = relay(a, b)
    left.end('x')
    await drain(right)
    b.destroy()
    await expect(done).rejects.toMatchObject(closed)
    expect(a.destroyed).toBe(true)
  })

  it('aborting destroys both, at the start and in the middle', async () => {
    const controller = new AbortController()
    const middle = await bridge()
    const done = relay(middle.a, middle.b, controller.signal)
    middle.left.write('x')
    await once(middle.right, 'readable')
    controller.abort(new Error('shutting down'))
    await expect(done).rejects.toThrow('shutting down')
    expect([middle.a.destroyed, middle.b.destroyed]).toEqual([true, true])
    const late = await bridge()
    await expect(relay(late.a, late.b, controller.signal)).rejects.toThrow('shutting down')
    expect([late.a.destroyed, late.b.destroyed]).toEqual([true, true])
  })

  it('FLOW-6: a reader that stops bounds what the relay holds, and the other direction goes on', async () => {
    const { left, a, b, right } = await bridge()
    const done = relay(a, b)
    const chunk = Buffer.alloc(1 << 16)
    const chunks = 512
    for (let sent = 0; sent < chunks; sent++) left.write(chunk)
    await settle(100)
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
    const done = relay(a, b, signal)
    left.end('x')
    right.end()
    right.resume()
    left.resume()
    await done
  }
  expect(held).toBe(0)
})
