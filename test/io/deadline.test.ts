import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { deadline, delay, orAborted, withDeadline } from '../../src/io/wait/deadline.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** An AbortController whose signal counts the listeners it holds. */
function counted(): { controller: AbortController; held: () => number } {
  const controller = new AbortController()
  const { signal } = controller
  const listeners = new Set<unknown>()
  const add = signal.addEventListener.bind(signal) as (...args: unknown[]) => void
  const remove = signal.removeEventListener.bind(signal) as (...args: unknown[]) => void
  signal.addEventListener = (type: string, listener: unknown, ...rest: unknown[]) => {
    listeners.add(listener)
    add(type, listener, ...rest)
  }
  signal.removeEventListener = (type: string, listener: unknown, ...rest: unknown[]) => {
    listeners.delete(listener)
    remove(type, listener, ...rest)
  }
  return { controller, held: () => listeners.size }
}

describe('deadline', () => {
  it('PT_TIMEOUT: aborts when its time is over, and says what took too long', () => {
    using limit = deadline(2500, 'the handshake')
    vi.advanceTimersByTime(2499)
    expect(limit.signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(limit.signal.reason).toMatchObject({ code: 'PT_TIMEOUT', message: 'the handshake took longer than 2.5 s' })
  })

  it('aborts with its parent, for its reason, even where the parent was aborted before', () => {
    const { controller } = counted()
    using before = deadline(1000, 'x', controller.signal)
    controller.abort(new Error('shutting down'))
    using after = deadline(1000, 'x', controller.signal)
    expect([before.signal.reason, after.signal.reason]).toEqual([controller.signal.reason, controller.signal.reason])
  })

  it('without its time limit it still follows the parent', () => {
    const { controller } = counted()
    using limit = deadline(1000, 'x', controller.signal)
    limit.clear()
    vi.advanceTimersByTime(5000)
    expect(limit.signal.aborted).toBe(false)
    controller.abort()
    expect(limit.signal.aborted).toBe(true)
  })

  it('leaves no timer and no listener behind when disposed', () => {
    const { controller, held } = counted()
    for (let times = 0; times < 100; times++) {
      using limit = deadline(1000, 'x', controller.signal)
      expect(limit.signal.aborted).toBe(false)
    }
    expect([held(), vi.getTimerCount()]).toEqual([0, 0])
  })
})

describe('withDeadline', () => {
  it('gives the result, or the error, of what it ran, and leaves nothing behind', async () => {
    const { controller, held } = counted()
    expect(await withDeadline(1000, 'x', controller.signal, async () => 7)).toBe(7)
    await expect(withDeadline(1000, 'x', controller.signal, () => Promise.reject(new Error('no')))).rejects.toThrow(
      'no',
    )
    expect([held(), vi.getTimerCount()]).toEqual([0, 0])
  })

  it('PT_TIMEOUT: ends a wait that heeds the signal', async () => {
    const waiting = withDeadline(1000, 'the answer', undefined, (signal) => delay(60_000, signal))
    const expectation = expect(waiting).rejects.toMatchObject({ code: 'PT_TIMEOUT' })
    await vi.advanceTimersByTimeAsync(1000)
    await expectation
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('delay', () => {
  it('resolves after its time and lets go of the signal', async () => {
    const { controller, held } = counted()
    const waited = delay(1000, controller.signal)
    expect(held()).toBe(1)
    await vi.advanceTimersByTimeAsync(1000)
    await waited
    expect(held()).toBe(0)
  })

  it('rejects with the reason of the signal, before and during the wait', async () => {
    const { controller } = counted()
    const waiting = delay(1000, controller.signal)
    controller.abort(new Error('shutting down'))
    await expect(waiting).rejects.toThrow('shutting down')
    await expect(delay(1000, controller.signal)).rejects.toThrow('shutting down')
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('orAborted', () => {
  it('is the promise where that comes first, and leaves no listener', async () => {
    const { controller, held } = counted()
    expect(await orAborted(Promise.resolve('here'), controller.signal)).toBe('here')
    await expect(orAborted(Promise.reject(new Error('failed')), controller.signal)).rejects.toThrow('failed')
    expect(held()).toBe(0)
  })

  it('is the reason of the signal where that comes first, and a failure that comes later is not unhandled', async () => {
    const { controller, held } = counted()
    let fail!: (error: Error) => void
    const late = new Promise<never>((_resolve, reject) => (fail = reject))
    const waiting = orAborted(late, controller.signal)
    controller.abort(new Error('hung up'))
    await expect(waiting).rejects.toThrow('hung up')
    await expect(orAborted(late, controller.signal)).rejects.toThrow('hung up')
    fail(new Error('too late'))
    await expect(late).rejects.toThrow('too late')
    expect(held()).toBe(0)
  })
})
