import { describe, expect, test, vi } from 'vitest'
import { Args } from '../../src/ipc/index.ts'
import type { OutlastingDial } from '../../src/sessions/parked.ts'
import { ParkedDials } from '../../src/sessions/parked.ts'
import type { ClientSession } from '../../src/transport.ts'

const given = {
  target: '192.0.2.1:1',
  args: Args.none,
  connect: () => expect.fail('nothing is dialled'),
  log: () => undefined,
  status: () => undefined,
}

interface Begun {
  readonly dial: OutlastingDial
  readonly session: ClientSession
  readonly closed: () => number
  readonly settle: () => void
  readonly over: Promise<unknown>
}

/** A dial that waits until it is settled or its signal aborts. */
function begin(parked: ParkedDials, ms = 60_000): Begun {
  const destroyAll = vi.fn()
  const dial = parked.dial(ms, { connect: given.connect, connected: false, destroyAll })
  let session!: ClientSession
  let settle!: () => void
  const over = dial
    .run(given, async (one) => {
      session = one
      await new Promise<void>((resolve, reject) => {
        settle = resolve
        one.cancellation!.addEventListener('abort', () => reject(one.cancellation!.reason))
      })
    })
    .catch((error: unknown) => error)
  return { dial, session, settle, over, closed: () => destroyAll.mock.calls.length }
}

describe('a dial that its parent does not wait for any more', () => {
  test('goes on until it settles, and then what it opened is closed', async () => {
    const parked = new ParkedDials()
    const { dial, session, settle, over, closed } = begin(parked)
    dial.park()
    expect([session.signal.aborted, parked.count, closed()]).toEqual([false, 1, 0])
    settle()
    await over
    expect([parked.count, closed()]).toEqual([0, 1])
  })

  test('is closed at once if it had settled before it was parked', async () => {
    const parked = new ParkedDials()
    const { dial, settle, over, closed } = begin(parked)
    settle()
    await over
    dial.park()
    expect([parked.count, closed()]).toEqual([0, 1])
  })

  test('ends after its time', async () => {
    vi.useFakeTimers()
    try {
      const parked = new ParkedDials()
      const { dial, over, closed } = begin(parked, 5_000)
      dial.park()
      vi.advanceTimersByTime(4_999)
      expect([parked.count, closed()]).toEqual([1, 0])
      vi.advanceTimersByTime(1)
      expect(await over).toMatchObject({ code: 'PT_TIMEOUT' })
      expect([parked.count, closed()]).toEqual([0, 1])
    } finally {
      vi.useRealTimers()
    }
  })

  test('is one of 256 at most: the oldest makes room', async () => {
    const parked = new ParkedDials()
    const begun = Array.from({ length: 258 }, () => begin(parked))
    for (const { dial } of begun) dial.park()
    expect(parked.count).toBe(256)
    expect(begun.map(({ closed }) => closed())).toEqual([1, 1, ...Array(256).fill(0)])
    expect(await begun[0]!.over).toBeInstanceOf(Error)
    parked.end()
    expect(parked.count).toBe(0)
    const late = begin(parked)
    late.dial.park()
    expect([parked.count, late.closed()]).toEqual([0, 1])
    await late.over
    expect(begun.every(({ closed }) => closed() > 0)).toBe(true)
    await Promise.all(begun.map(({ over }) => over))
  })
})
