import { randomBytes } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { decodeRepresentative } from '../../../src/crypto/elligator2.ts'
import type { EphemeralPair } from '../../../src/transports/obfs4/key-pool.ts'
import { makeKeyPool } from '../../../src/transports/obfs4/key-pool.ts'
import { settle } from '../../io/streams.ts'
import { root } from '../../support.ts'

afterEach(() => void vi.useRealTimers())

describe('the pool of key pairs', () => {
  test('does nothing before its time, then fills at leisure and stops', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const random = vi.fn((length: number) => randomBytes(length))
    const pool = makeKeyPool(random, 8)
    pool.warm()
    await settle()
    expect([pool.ready, random.mock.calls.length]).toEqual([0, 0])
    for (let turn = 0; pool.ready < 8; turn++) {
      expect(turn).toBeLessThan(1_000)
      vi.advanceTimersToNextTimer()
    }
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a burst beyond it is served in order, each with a pair of its own', async () => {
    const pool = makeKeyPool(randomBytes, 2)
    const order: number[] = []
    const takes = Array.from({ length: 20 }, async (_, i) => {
      const pair = await pool.take()
      order.push(i)
      return pair
    })
    const pairs: EphemeralPair[] = await Promise.all(takes)
    expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i))
    expect(new Set(pairs.map((pair) => Buffer.from(pair.publicKey).toString('hex'))).size).toBe(20)
    for (const pair of pairs) expect(decodeRepresentative(pair.representative)).toEqual(pair.publicKey)
  })

  test('is restocked by one pair for each call, in the next turn and without a timer, and not beyond its size', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const pool = makeKeyPool(randomBytes, 4)
    const made = async (pairs: number): Promise<void> => {
      // Every second attempt fails, and half a millisecond is for few of them on a slow machine.
      for (let turn = 0; pool.ready < pairs; turn++) {
        expect(turn).toBeLessThan(1_000)
        await settle(1)
      }
      await settle()
      expect(pool.ready).toBe(pairs)
    }
    pool.restock()
    expect(pool.ready).toBe(0)
    await made(1)
    pool.restock()
    pool.restock()
    await made(3)
    for (let call = 0; call < 9; call++) pool.restock()
    await made(4)
    pool.restock()
    await pool.take()
    await settle()
    expect(pool.ready).toBe(3)
  })

  test('what was given back is given out again, to who waits first', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const pool = makeKeyPool(randomBytes, 2)
    const pair = await pool.take()
    const waiting = pool.take()
    pool.giveBack(pair)
    expect(await waiting).toBe(pair)
    expect(pool.ready).toBe(0)
    pool.giveBack(pair)
    expect(pool.ready).toBe(1)
    expect(await pool.take()).toBe(pair)
  })

  test('never holds more than its size', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const pool = makeKeyPool(randomBytes, 2)
    const pairs = await Promise.all([pool.take(), pool.take(), pool.take(), pool.take()])
    for (const pair of pairs) pool.giveBack(pair)
    expect(pool.ready).toBe(2)
  })

  test('a queue of a hundred leaves the event loop its turns', async () => {
    const pool = makeKeyPool(randomBytes)
    await pool.take()
    const loop = monitorEventLoopDelay({ resolution: 1 })
    loop.enable()
    await Promise.all(Array.from({ length: 100 }, () => pool.take()))
    loop.disable()
    // Made in one go they would hold it for over 50 ms; half of the turns are far below that on any machine.
    expect(loop.percentile(50) / 1e6).toBeLessThan(25)
  })

  test('does not keep a process alive', () => {
    const program = `import { makeKeyPool } from ${JSON.stringify(`${root}dist/transports/obfs4/key-pool.js`)}
import { randomBytes } from 'node:crypto'
makeKeyPool(randomBytes, 1e9).warm()`
    const { status, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 15_000 })
    expect({ status, signal }).toEqual({ status: 0, signal: null })
  })
})
