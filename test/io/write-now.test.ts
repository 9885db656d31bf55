import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { writeNow } from '../../src/io/tcp/write-now.ts'
import { drain, settle, socketPair, tcpPair } from './streams.ts'

/** More than the system takes while nobody reads. */
const MUCH = 12 << 20

describe.each([
  ['a PT’s own socket', tcpPair],
  ['net.Socket', socketPair],
])('writeNow() to %s', (_name, pair) => {
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
    await settle(20)
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
    if ('resetAndDestroy' in theirs) theirs.resetAndDestroy()
    else theirs.destroy()
    const [error] = (await failed) as [NodeJS.ErrnoException]
    expect(['ECONNRESET', 'EPIPE']).toContain(error.code)
    expect(error.message).not.toContain('127.0.0.1')
  })
})
