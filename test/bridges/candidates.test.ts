import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Candidate, CandidatesOptions } from '../../src/bridges/candidates.ts'
import { Candidates, inOrder, pauseAfter } from '../../src/bridges/candidates.ts'
import { parseBridgeLine } from '../../src/app/index.ts'
import { PtError } from '../../src/error.ts'

const lines = ['a', 'b', 'c'].map((name) => parseBridgeLine(`${name} 127.0.0.1:1`))
const never = new AbortController().signal

function several(options: Pick<CandidatesOptions, 'dial'> & Partial<CandidatesOptions>): Candidates {
  return new Candidates({ lines, strategy: 'failover', onFailure: () => {}, onRecovery: () => {}, ...options })
}

function conn(): Duplex {
  return duplexPair()[0]
}

/** Dials that fail by stage, or succeed, by the transport's name; and the order in which they were asked for. */
function dialer(stages: Record<string, 'connect' | 'closed' | 'works'>): {
  dial: (line: { transport: string }) => Promise<Duplex>
  asked: string[]
} {
  const asked: string[] = []
  const dial = ({ transport }: { transport: string }): Promise<Duplex> => {
    asked.push(transport)
    const stage = stages[transport]!
    if (stage === 'works') return Promise.resolve(conn())
    return Promise.reject(new PtError('PT_CONNECT', 'no', { stage }))
  }
  return { dial, asked }
}

describe('several bridges', () => {
  test('fail-over takes the first that works, and tells of those before it', async () => {
    const failed: string[] = []
    const onFailure = (_: PtError, line: { transport: string }): void => void failed.push(line.transport)
    const { dial, asked } = dialer({ a: 'connect', b: 'works', c: 'works' })
    using candidates = several({ dial, onFailure })
    await candidates.connect(never)
    expect([asked, failed]).toEqual([['a', 'b'], ['a']])
    await candidates.connect(never)
    expect(asked).toEqual(['a', 'b', 'b'])
  })

  test('PT_BRIDGES: where none works, the stage of the one that came furthest is told', async () => {
    const { dial, asked } = dialer({ a: 'connect', b: 'closed', c: 'connect' })
    using candidates = several({ dial, strategy: 'race' })
    await expect(candidates.connect(never)).rejects.toMatchObject({ code: 'PT_BRIDGES', stage: 'closed' })
    expect(asked).toEqual(['a', 'b', 'c'])
    // All of them rest now, and all are tried all the same.
    await expect(candidates.connect(never)).rejects.toMatchObject({ code: 'PT_BRIDGES' })
    expect(asked.length).toBe(6)
  })

  test('the error of a single bridge is its own', async () => {
    using candidates = several({ dial: dialer({ a: 'closed' }).dial, lines: lines.slice(0, 1) })
    await expect(candidates.connect(never)).rejects.toMatchObject({ stage: 'closed' })
  })

  test('a race takes the fastest and closes what comes too late', async () => {
    const late = conn()
    let release!: (conn: Duplex) => void
    const slow = new Promise<Duplex>((resolve) => (release = resolve))
    const fast = conn()
    using candidates = several({
      lines: lines.slice(0, 2),
      strategy: 'race',
      dial: ({ transport }) => (transport === 'a' ? slow : Promise.resolve(fast)),
    })
    const won = await candidates.connect(never)
    expect(won).toBe(fast)
    release(late)
    await new Promise((resolve) => setImmediate(resolve))
    expect(late.destroyed).toBe(true)
  })

  test('the signal ends it, with its reason', async () => {
    const untilAborted = (signal: AbortSignal): Promise<never> =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    using candidates = several({ dial: (_, signal) => untilAborted(signal) })
    const reason = new Error('enough')
    const controller = new AbortController()
    const pending = candidates.connect(controller.signal)
    controller.abort(reason)
    await expect(pending).rejects.toBe(reason)
  })

  test('those that failed come last, the soonest to be tried again first', () => {
    const at = (name: number, failures: number, retryAt: number): Candidate => ({
      line: lines[name]!,
      failures,
      retryAt,
    })
    expect(inOrder([at(0, 1, 50), at(1, 0, 0), at(2, 2, 20)]).map(({ line }) => line.transport)).toEqual([
      'b',
      'c',
      'a',
    ])
  })

  test('one that failed is tried again in the background, later and later, and has its place again once it answers', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const stages: Parameters<typeof dialer>[0] = { a: 'connect', b: 'works', c: 'works' }
    const { dial, asked } = dialer(stages)
    const recovered: string[] = []
    using candidates = several({ dial, onRecovery: ({ transport }) => void recovered.push(transport) })
    await candidates.connect(never)
    expect(asked).toEqual(['a', 'b'])
    await vi.advanceTimersByTimeAsync(5_000)
    expect(asked).toEqual(['a', 'b', 'a'])
    await vi.advanceTimersByTimeAsync(9_000)
    stages['a'] = 'works'
    await candidates.connect(never)
    expect(asked).toEqual(['a', 'b', 'a', 'b'])
    await vi.advanceTimersByTimeAsync(1_000)
    expect([asked, recovered]).toEqual([['a', 'b', 'a', 'b', 'a'], ['a']])
    await candidates.connect(never)
    expect(asked.at(-1)).toBe('a')
    await vi.advanceTimersByTimeAsync(600_000)
    expect(asked.length).toBe(6)
  })

  test('a single bridge, and one of those that have been closed, is not tried in the background', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { dial, asked } = dialer({ a: 'connect', b: 'connect', c: 'connect' })
    using single = several({ dial, lines: lines.slice(0, 1) })
    const all = several({ dial })
    await expect(single.connect(never)).rejects.toMatchObject({ stage: 'connect' })
    await expect(all.connect(never)).rejects.toMatchObject({ stage: 'connect' })
    all[Symbol.dispose]()
    await vi.advanceTimersByTimeAsync(600_000)
    expect(asked.length).toBe(4)
  })

  test('pauses double from 5 s up to 5 min', () => {
    expect([0, 1, 2, 6, 50].map(pauseAfter)).toEqual([5_000, 10_000, 20_000, 300_000, 300_000])
  })
})
