/** What only splice() has; all that it shares with relay() is in relay.test.ts. */
import { once } from 'node:events'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { PtError } from '../../src/error.ts'
import { readExactly } from '../../src/io/read.ts'
import { listen } from '../../src/io/tcp/listen.ts'
import type { TcpConn } from '../../src/io/tcp/channel.ts'
import type { Codec } from '../../src/io/carry/codec.ts'
import { withDirect } from '../../src/io/carry/codec.ts'
import { framed } from '../../src/io/carry/framed.ts'
import { splice } from '../../src/io/carry/splice.ts'
import { root } from '../support.ts'
import { bulkMemory } from '../../src/io/tcp/bulk-memory.ts'
import { closeWithReset } from '../../src/io/tcp/close.ts'
import { carry } from '../../src/io/carry/carry.ts'
import { drain, endOf, listeners, settle, socketPair, tcpPair, untilStill } from './streams.ts'
import { channelOf } from '../../src/io/tcp/node-channel.ts'
import { lend } from '../../src/io/tcp/read-memory.ts'

const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => ~byte)
const flipping: Codec = withDirect({ encode: flip, decode: (chunk) => [flip(chunk)] })

interface Ends {
  readonly left: TcpConn
  readonly a: TcpConn
  readonly b: TcpConn
  readonly right: TcpConn
}

/** What is given to splice(): sockets of Node's, or those of a PT. */
const kinds: readonly (readonly [name: string, pair: () => Promise<[TcpConn, TcpConn]>])[] = [
  ['net.Socket', socketPair],
  ['a PT’s own sockets', tcpPair],
]

/** What is written to `conn`, write by write, from now on. */
function writesOf(conn: TcpConn): () => string[] {
  const spy = vi.spyOn(channelOf(conn)!, 'writeNow')
  return () => spy.mock.calls.map(([bytes]) => String(bytes))
}

describe.each(kinds)('%s', (_name, pair) => {
  async function ends(): Promise<Ends> {
    const [left, a] = await pair()
    const [b, right] = await pair()
    return { left, a, b, right }
  }

  it('encodes from a to b and decodes from b to a, byte for byte, with ends one by one', async () => {
    const { left, a, b, right } = await ends()
    const done = splice(a, framed(b, flipping), { halfOpen: true })
    const bytes = randomBytes(3 << 20)
    left.end(bytes)
    expect((await drain(right)).equals(flip(bytes))).toBe(true)
    right.end(bytes)
    expect((await drain(left)).equals(flip(bytes))).toBe(true)
    expect(await done).toEqual({ fromA: bytes.length, fromB: bytes.length })
  })

  it('what handshakes have read too much of is recoded too, before all that comes later', async () => {
    const { left, a, b, right } = await ends()
    left.write('SOCKSup')
    right.write(Buffer.concat([Buffer.from('HELLO'), flip(Buffer.from('down'))]))
    await readExactly(a, 5)
    b.unshift((await readExactly(b, 9)).subarray(5))
    const done = splice(a, framed(b, flipping))
    left.end(' and on')
    right.end(flip(Buffer.from(' and on')))
    const [atRight, atLeft] = await Promise.all([drain(right), drain(left)])
    expect([String(flip(atRight)), String(atLeft)]).toEqual(['up and on', 'down and on'])
    await done
  })

  it('a preface goes out in a write of its own, before the first bytes and not without them', async () => {
    const { left, a, b, right } = await ends()
    const writes = writesOf(b)
    const done = splice(a, framed(b, withDirect({ ...flipping, preface: () => Buffer.from('preface') })))
    right.write('down')
    await once(left, 'data')
    expect(writes()).toEqual([])
    left.write('up')
    await once(right, 'data')
    left.end('on')
    right.end()
    await Promise.all([drain(right), done])
    expect(writes()).toEqual(['preface', String(flip(Buffer.from('up'))), String(flip(Buffer.from('on')))])
  })

  it('every byte that leaves has been through the codec, wherever reads and writes are cut', async () => {
    const { left, a, b, right } = await ends()
    const done = splice(a, framed(b, flipping))
    const received: Promise<Buffer> = drain(right)
    const sent: Buffer[] = []
    for (let times = 0; times < 200; times++) {
      const bytes = randomBytes(1 + (times % 7) * 1_000)
      sent.push(bytes)
      left.write(bytes)
      if (times % 3 === 0) await settle(1)
    }
    left.end()
    expect((await received).equals(flip(Buffer.concat(sent)))).toBe(true)
    right.end()
    left.resume()
    await done
  })

  it('PT_FRAME: what was decoded before a broken frame arrives, then the end; the connection is closed', async () => {
    const { left, a, b, right } = await ends()
    const broken = new PtError('PT_FRAME', 'a frame was altered')
    const codec = withDirect({
      encode: flip,
      *decode(chunk) {
        yield Buffer.from('good')
        if (chunk.length > 0) throw broken
      },
    })
    const done = splice(a, framed(b, codec))
    const lost = once(right.resume(), 'end')
    right.write('x')
    expect(String(await drain(left))).toBe('good')
    left.end()
    await expect(done).rejects.toBe(broken)
    await lost
    expect([a.destroyed, b.destroyed]).toEqual([true, true])
  })

  it('PT_CLOSED: an end in the middle of a frame is an error and no end', async () => {
    const { left, a, b, right } = await ends()
    const cut = new PtError('PT_CLOSED', 'in the middle of a frame')
    const codec = withDirect({
      encode: flip,
      decode: (chunk) => [flip(chunk)],
      end: () => {
        throw cut
      },
    })
    const done = splice(a, framed(b, codec))
    right.end(flip(Buffer.from('all')))
    expect(String(await drain(left))).toBe('all')
    left.end()
    await expect(done).rejects.toBe(cut)
  })

  it('a pile of unread bytes holds up its own connection only, and no byte of it is overwritten', async () => {
    const slow = await ends()
    const other = await ends()
    const lending = lendOne()
    const [slowDone, otherDone] = [slow, other].map(({ a, b }) => splice(a, framed(b, lending)))
    const bytes = randomBytes(12 << 20)
    slow.left.end(bytes)
    await untilStill(() => lending.held())
    expect(lending.held()).toBeGreaterThan(0)
    other.left.end('meanwhile')
    expect(String(await drain(other.right))).toBe('meanwhile')
    expect((await drain(slow.right)).equals(bytes)).toBe(true)
    expect(lending.held()).toBe(0)
    for (const { left, right } of [slow, other]) {
      right.end()
      left.resume()
    }
    await Promise.all([slowDone, otherDone])
  })

  it('memory that was held for a peer that never reads is given back when it is cut', async () => {
    const { left, a, b, right } = await ends()
    const lending = lendOne()
    const done = splice(a, framed(b, lending))
    left.on('error', () => undefined)
    left.write(randomBytes(12 << 20))
    await untilStill(() => lending.held())
    expect(lending.held()).toBeGreaterThan(0)
    right.destroy()
    left.resume().end()
    await expect(done).rejects.toBeInstanceOf(Error)
    expect(lending.held()).toBe(0)
  })

  it('a stream that another copy of this package has framed is taken apart as well', async () => {
    const copy = (await import(join(root, 'dist/io/index.js'))) as { readonly framed: typeof framed }
    const { left, a, b, right } = await ends()
    const other = copy.framed(b, flipping)
    expect(other.constructor).not.toBe(framed(duplexPair()[0], flipping).constructor)
    const done = splice(a, other)
    left.end('up')
    right.end(flip(Buffer.from('down')))
    expect([String(flip(await drain(right))), String(await drain(left))]).toEqual(['up', 'down'])
    expect(await done).toEqual({ fromA: 2, fromB: 4 })
  })

  it('memory that was held for a peer that neither reads nor hangs up is given back when its time is over', async () => {
    const { left, a, b } = await ends()
    const lending = lendOne()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const done = splice(a, framed(b, lending))
    left.write(randomBytes(12 << 20))
    await untilStill(() => lending.held())
    expect(lending.held()).toBeGreaterThan(0)
    a.destroy()
    await settle()
    const closed = once(b, 'close')
    vi.advanceTimersByTime(5_000)
    await settle()
    // A slow wire has more time than an application: what was read is still on its way.
    expect(b.destroyed).toBe(false)
    vi.advanceTimersByTime(60_000)
    await expect(done).rejects.toBeInstanceOf(PtError)
    await closed
    expect(lending.held()).toBe(0)
  })

  it.each<[string, (ends: Ends) => readonly [Duplex, Duplex]]>([
    ['a stream that is no socket', ({ b }) => [duplexPair()[0], framed(b, flipping)]],
    ['a connection that is no socket', ({ a }) => [a, framed(duplexPair()[0], flipping)]],
    ['a codec that keeps what it is given', ({ a, b }) => [a, framed(b, { encode: flip, decode: (bytes) => [bytes] })]],
    ['two streams that are no sockets', () => [duplexPair()[0], duplexPair()[0]]],
    ['a socket whose bytes have a listener', ({ a, b }) => [a.on('data', () => undefined), framed(b, flipping)]],
    ['two sockets of which one has a listener', ({ a, b }) => [a, b.on('readable', () => undefined)]],
    ['a socket that is gone', ({ a, b }) => [a.destroy(), framed(b, flipping)]],
    ['a connection that is gone', ({ a, b }) => [a, framed(b.destroy(), flipping)]],
    ['a framed stream that is gone', ({ a, b }) => [a, framed(b, flipping).destroy()]],
    ['a framed stream that was read', ({ a, b }) => [a, readOnce(framed(b, flipping))]],
  ])('%s is left as it was, for relay() to carry', async (_what, make) => {
    const [a, b] = make(await ends())
    const before = [listeners(a), listeners(b)]
    expect(splice(a, b)).toBeUndefined()
    expect([listeners(a), listeners(b)]).toEqual(before)
  })

  it('a stream that never pauses leaves the others their turn', async () => {
    const other = await ends()
    const [b, right] = await pair()
    let carried = 0
    const counting = withDirect({ encode: (bytes) => ((carried += bytes.length), bytes), decode: (bytes) => [bytes] })
    // From a process of its own, so that there is always more.
    const a = await flood()
    right.resume()
    const done = [splice(a, framed(b, counting)), splice(other.a, framed(other.b, flipping))]
    let most = 0
    for (let times = 0; times < 20; times++) {
      const before = carried
      other.left.write('!')
      await once(other.right, 'data')
      most = Math.max(most, carried - before)
    }
    // A byte needs three turns: to be read, to arrive, and the rest of the one in which it was sent.
    expect(most).toBeLessThanOrEqual(3 * 262_144)
    a.destroy()
    right.end()
    other.left.end()
    other.right.end()
    for (const one of done) await one?.catch(() => undefined)
  })
})

describe.each(kinds)('without a codec, %s', (_name, pair) => {
  async function ends(): Promise<Ends> {
    const [left, a] = await pair()
    const [b, right] = await pair()
    return { left, a, b, right }
  }

  it('carries bulk both ways, byte for byte, and gives its memory back', async () => {
    const before = bulkMemory.taken
    const { left, a, b, right } = await ends()
    const done = splice(a, b)
    const bytes = randomBytes(12 << 20)
    left.end(bytes)
    right.end(bytes)
    const [atRight, atLeft] = await Promise.all([drain(right), drain(left)])
    expect([atRight.equals(bytes), atLeft.equals(bytes)]).toEqual([true, true])
    expect(await done).toEqual({ fromA: bytes.length, fromB: bytes.length })
    expect(bulkMemory.taken).toBe(before)
  })

  it('many at once, more than there are pieces of memory, mix no bytes', async () => {
    const all = await Promise.all(Array.from({ length: 80 }, ends))
    const sent = all.map((_, n) => Buffer.alloc(600_000, n + 1))
    const done = all.map(({ a, b }) => carry(a, b))
    const received = all.map(({ right }) => drain(right))
    for (const [n, { left }] of all.entries()) left.end(sent[n])
    for (const [n, one] of received.entries()) expect((await one).equals(sent[n]!)).toBe(true)
    for (const { left, right } of all) {
      right.end()
      left.resume()
    }
    await Promise.all(done)
    expect(bulkMemory.taken).toBe(0)
  })

  it('a short read is not overwritten by the next one while the system has not taken it', async () => {
    const { left, a, b, right } = await ends()
    const done = splice(a, b)
    const bytes = randomBytes(8 << 20)
    for (let at = 0; at < bytes.length; at += 1_000) left.write(bytes.subarray(at, at + 1_000))
    left.end()
    await untilStill(() => [a.bytesRead, b.writableLength])
    expect((await drain(right)).equals(bytes)).toBe(true)
    right.end()
    left.resume()
    await done
  })

  it('asks before it passes an end on, with the stream that it was given', async () => {
    const { left, a, b, right } = await ends()
    const asked: Duplex[] = []
    const wire = framed(b, flipping)
    const done = splice(a, wire, {
      beforeEnd: async (ended) => {
        asked.push(ended)
        await Promise.reject(new Error('it has died'))
      },
    })!
    left.resume()
    right.end()
    await expect(done).rejects.toThrow('it has died')
    expect(asked).toEqual([wire])
  })

  it('tells of a loss before the other side hears of it, so that it can be reset', async () => {
    const { left, a, b, right } = await ends()
    const broken = new PtError('PT_FRAME', 'a frame was altered')
    const codec = withDirect({
      encode: flip,
      decode: () => {
        throw broken
      },
    })
    const wire = framed(b, codec)
    const lost: unknown[] = []
    const done = carry(a, wire, {
      wire,
      onLost: (...what) => {
        lost.push(...what)
        closeWithReset(a)
      },
    })
    right.write('x')
    const [end] = await Promise.all([endOf(left), expect(done).rejects.toBe(broken)])
    expect([end, ...lost]).toEqual(['RST', wire, broken])
  })

  it('counts what each connection has read and written', async () => {
    const { left, a, b, right } = await ends()
    const done = carry(a, b)
    left.end('question')
    expect(String(await drain(right))).toBe('question')
    right.end('answer!')
    expect(String(await drain(left))).toBe('answer!')
    await done
    expect([a.bytesRead, a.bytesWritten, b.bytesRead, b.bytesWritten]).toEqual([8, 7, 7, 8])
  })
})

it('a framed stream may come first, and is the wire', async () => {
  const [left, a] = await tcpPair()
  const [b, right] = await tcpPair()
  const done = splice(framed(b, flipping), a)
  right.end(flip(Buffer.from('down')))
  expect(String(await drain(left))).toBe('down')
  await vi.waitUntil(() => b.destroyed)
  left.end()
  expect(await done).toEqual({ fromA: 4, fromB: 0 })
})

function readOnce(stream: Duplex): Duplex {
  stream.read()
  return stream
}

/** A codec for many connections that changes nothing, and overwrites what it lends and nobody holds. */
function lendOne(): Codec & { held(): number } {
  let output = Buffer.alloc(1 << 17)
  let held = 0
  const give = (bytes: Uint8Array): Buffer => {
    output.fill(0xee)
    output.set(bytes)
    return output.subarray(0, bytes.length)
  }
  const direct = {
    input: lend(Buffer.alloc(1 << 17)),
    encode: give,
    decode: (chunk: Uint8Array) => [give(chunk)],
    hold() {
      held++
      output = Buffer.alloc(1 << 17)
      return () => held--
    },
  }
  return { encode: (bytes) => bytes, decode: (bytes) => [bytes], direct, held: () => held }
}

/** A connection from a process that sends as much as it can. */
async function flood(): Promise<Socket> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  const { port } = await listen(server, '127.0.0.1', 0)
  const send =
    "const s = require('net').connect(+process.argv[1]); const z = Buffer.alloc(1 << 20); const go = () => { while (s.write(z)); }; s.on('drain', go).on('error', () => {}); go()"
  const child = spawn(process.execPath, ['-e', send, String(port)])
  onTestFinished(() => void child.kill('SIGKILL'))
  const [socket] = (await once(server, 'connection')) as [Socket]
  server.close()
  socket.on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  return socket
}
