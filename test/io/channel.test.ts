import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { TcpConn } from '../../src/io/tcp/channel.ts'
import { channelOf } from '../../src/io/tcp/node-channel.ts'
import { lend } from '../../src/io/tcp/read-memory.ts'
import { drain, endOf, settle, socketPair, tcpPair, untilStill } from './streams.ts'

/** More than the system takes if the other end does not read. */
const MUCH = 12 << 20

function writeNow(conn: TcpConn, bytes: Uint8Array, taken: () => void): boolean {
  return channelOf(conn)!.writeNow(bytes, taken)
}

const kinds = [
  ['a PT’s own socket', tcpPair],
  ['net.Socket', socketPair],
] as const

describe.each(kinds)('writeNow() to %s', (_name, pair) => {
  test('what the system takes at once needs no word', async () => {
    const [ours, theirs] = await pair()
    const taken = vi.fn()
    expect([writeNow(ours, Buffer.from('ab'), taken), writeNow(ours, Buffer.from('c'), taken)]).toEqual([true, true])
    expect(ours.writableLength).toBe(0)
    ours.end()
    expect((await drain(theirs)).toString()).toBe('abc')
    expect(taken).not.toHaveBeenCalled()
  })

  test('what waits is told of when it is taken, and the end comes behind it', async () => {
    const [ours, theirs] = await pair()
    const bytes = randomBytes(MUCH)
    const taken = vi.fn()
    expect(writeNow(ours, bytes, taken)).toBe(false)
    ours.end()
    await untilStill(() => [taken.mock.calls.length, theirs.readableLength])
    expect([taken.mock.calls.length, ours.writableFinished]).toEqual([0, false])
    expect((await drain(theirs)).equals(bytes)).toBe(true)
    expect(taken).toHaveBeenCalledOnce()
    expect(ours.writableFinished).toBe(true)
  })

  test('writes of both ways arrive in their order, and each that waits is told of once', async () => {
    const writes = fc.array(fc.record({ now: fc.boolean(), size: fc.integer({ min: 1, max: 2 << 20 }) }), {
      minLength: 1,
      maxLength: 12,
    })
    await fc.assert(
      fc.asyncProperty(writes, async (all) => {
        const [ours, theirs] = await pair()
        const sent = all.map(({ size }) => randomBytes(size))
        const taken = all.map(() => vi.fn())
        const waited = all.map(({ now }, i) => {
          if (now) return !writeNow(ours, sent[i]!, taken[i]!)
          ours.write(sent[i]!)
          return false
        })
        ours.end()
        expect((await drain(theirs)).equals(Buffer.concat(sent))).toBe(true)
        expect(taken.map(({ mock }) => mock.calls.length > 0)).toEqual(waited)
        expect(taken.every(({ mock }) => mock.calls.length <= 1)).toBe(true)
        theirs.destroy()
      }),
      { numRuns: 25 },
    )
  })

  test('a socket that is gone takes nothing, and says nothing', async () => {
    const [ours, theirs] = await pair()
    ours.destroy()
    const taken = vi.fn()
    expect(writeNow(ours, Buffer.from('x'), taken)).toBe(true)
    await settle()
    expect(taken).not.toHaveBeenCalled()
    theirs.destroy()
  })

  test('one that goes while bytes wait leaves nothing open', async () => {
    const [ours, theirs] = await pair()
    theirs.on('error', () => undefined).pause()
    const taken = vi.fn()
    expect(writeNow(ours, Buffer.alloc(MUCH), taken)).toBe(false)
    const closed = once(theirs.resume(), 'close')
    ours.destroy()
    theirs.end()
    await closed
    await settle()
    expect(taken.mock.calls.length).toBeLessThanOrEqual(1)
  })

  test('a reset while bytes wait is an error without an address', async () => {
    const [ours, theirs] = await pair()
    theirs.pause()
    expect(writeNow(ours, Buffer.alloc(MUCH), () => undefined)).toBe(false)
    const failed = once(ours, 'error')
    channelOf(theirs)!.closeWithReset()
    const [error] = (await failed) as [NodeJS.ErrnoException]
    expect(['ECONNRESET', 'EPIPE']).toContain(error.code)
    expect(error.message).not.toContain('127.0.0.1')
  })
})

describe.each(kinds)('the channel of %s', (_name, pair) => {
  test('is one for the life of the connection, and knows its stream', async () => {
    const [ours] = await pair()
    expect(channelOf(ours)).toBe(channelOf(ours))
    expect(channelOf(ours)!.duplex).toBe(ours)
    expect(channelOf(ours)!.canGiveReads).toBe(true)
    ours.destroy()
    expect(channelOf(ours)!.canGiveReads).toBe(false)
  })

  test('gives all that arrives to the owner of its reads, and tells an owner that it is replaced', async () => {
    const [ours, theirs] = await pair()
    const channel = channelOf(ours)!
    const memory = lend(Buffer.alloc(8))
    const heard: string[] = []
    const owner = (name: string): { arrived(length: number): boolean; replaced(): void } => ({
      arrived: (length) => heard.push(`${name} ${memory.toString('latin1', 0, length)}`) > 0,
      replaced: () => void heard.push(`${name} is replaced`),
    })
    const first = owner('first')
    channel.giveReadsTo(first, memory)
    channel.readOn()
    theirs.write('ab')
    await vi.waitUntil(() => heard.length === 1)
    channel.giveReadsTo(first, memory.subarray(0, 4))
    channel.giveReadsTo(owner('second'), memory)
    theirs.write('cd')
    await vi.waitUntil(() => heard.length === 3)
    expect(heard).toEqual(['first ab', 'first is replaced', 'second cd'])
    expect(ours.readableLength).toBe(0)
    theirs.end()
    await once(ours, 'end')
  })

  test('reads into no memory that was not lent', async () => {
    const [ours] = await pair()
    const owner = { arrived: () => true }
    expect(() => channelOf(ours)!.giveReadsTo(owner, Buffer.alloc(8))).toThrow(TypeError)
  })

  test('stops reading when the owner says so, and goes on when it is told to', async () => {
    const [ours, theirs] = await pair()
    const channel = channelOf(ours)!
    const lengths: number[] = []
    const memory = lend(Buffer.alloc(4))
    channel.giveReadsTo({ arrived: (length) => lengths.push(length) > 2 }, memory)
    channel.readOn()
    theirs.write('abcdefghij')
    await vi.waitUntil(() => lengths.length === 1)
    channel.readOn()
    await vi.waitUntil(() => lengths.length === 2)
    channel.readOn()
    await vi.waitUntil(() => lengths.length === 3)
    expect(lengths).toEqual([4, 4, 2])
  })

  test('closes with a reset, or without one if the end is on its way', async () => {
    const [ours, theirs] = await pair()
    channelOf(ours)!.closeWithReset()
    expect(ours.destroyed).toBe(true)
    expect(await endOf(theirs)).toBe('RST')
    const [late, far] = await pair()
    far.pause()
    late.write(Buffer.alloc(MUCH))
    late.end()
    channelOf(late)!.closeWithReset()
    expect(late.destroyed).toBe(true)
  })

  test('counts what was read and what was written', async () => {
    const [ours, theirs] = await pair()
    writeNow(ours, Buffer.alloc(10), () => undefined)
    ours.write(Buffer.alloc(5))
    ours.end(Buffer.alloc(3))
    expect(await drain(theirs)).toHaveLength(18)
    expect([ours.bytesWritten, theirs.bytesRead]).toEqual([18, 18])
  })
})

test('a stream that is no connection of its own has no channel', () => {
  const [ours] = duplexPair()
  expect(channelOf(ours)).toBeUndefined()
  expect(channelOf(new TLSSocket(ours))).toBeUndefined()
})
