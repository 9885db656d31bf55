import { expect, it, vi } from 'vitest'
import { Canceller } from '../../src/io/wait/cancellation.ts'

const reason = new Error('enough')

it('tells who listens, once and with the first reason, and nobody who has left', () => {
  const canceller = new Canceller()
  const [stays, leaves, late] = [vi.fn(), { handleEvent: vi.fn() }, vi.fn()]
  canceller.addEventListener('abort', stays)
  canceller.addEventListener('abort', leaves)
  canceller.removeEventListener('abort', leaves)
  canceller.throwIfAborted()
  canceller.abort(reason)
  canceller.abort(new Error('again'))
  canceller.addEventListener('abort', late)
  expect([stays.mock.calls.length, leaves.handleEvent.mock.calls.length, late.mock.calls.length]).toEqual([1, 0, 0])
  expect(canceller).toMatchObject({ aborted: true, reason })
  expect(() => canceller.throwIfAborted()).toThrow(reason)
})

it('who leaves while they are told is told no more than who comes', () => {
  const canceller = new Canceller()
  const [leaves, stays] = [vi.fn(), { handleEvent: vi.fn() }]
  canceller.addEventListener('abort', () => {
    canceller.removeEventListener('abort', leaves)
    canceller.addEventListener('abort', () => expect.unreachable())
  })
  canceller.addEventListener('abort', leaves)
  canceller.addEventListener('abort', stays)
  canceller.abort(reason)
  expect([leaves.mock.calls.length, stays.handleEvent.mock.calls.length]).toEqual([0, 1])
})

it('is an AbortSignal for who asks for one, before or behind the end', () => {
  const canceller = new Canceller()
  const { signal } = canceller
  expect(canceller.signal).toBe(signal)
  const any = AbortSignal.any([signal])
  expect([signal.aborted, any.aborted]).toEqual([false, false])
  canceller.abort(reason)
  expect([signal.reason, any.reason]).toEqual([reason, reason])
  const over = new Canceller()
  over.abort(reason)
  expect(over.signal.reason).toBe(reason)
})

it('a listener that throws keeps nobody from being told, and its error is an uncaught one', async () => {
  const canceller = new Canceller()
  const uncaught = new Promise((resolve) => {
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException').once('uncaughtException', (error) => {
      for (const other of others) process.on('uncaughtException', other)
      resolve(error)
    })
  })
  const mistake = new Error('a mistake')
  const later = vi.fn()
  const { signal } = canceller
  canceller.addEventListener('abort', () => {
    throw mistake
  })
  canceller.addEventListener('abort', later)
  canceller.abort(reason)
  expect(later).toHaveBeenCalledOnce()
  expect(signal.aborted).toBe(true)
  expect(await uncaught).toBe(mistake)
})
