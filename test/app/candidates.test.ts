import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { Candidates, inOrder, pauseAfter } from '../../src/app/candidates.ts'
import { parseBridgeLine } from '../../src/app/index.ts'
import { PtError } from '../../src/error.ts'

const lines = ['a', 'b', 'c'].map((name) => parseBridgeLine(`${name} 127.0.0.1:1`))
const never = new AbortController().signal

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
    const candidates = new Candidates({ lines, strategy: 'failover', onFailure })
    const { dial, asked } = dialer({ a: 'connect', b: 'works', c: 'works' })
    await candidates.connect(dial, never)
    expect([asked, failed]).toEqual([['a', 'b'], ['a']])
    await candidates.connect(dial, never)
    expect(asked).toEqual(['a', 'b', 'b'])
  })

  test('PT_BRIDGES: where none works, the stage of the one that came furthest is told', async () => {
    const candidates = new Candidates({ lines, strategy: 'race', onFailure: () => {} })
    const { dial, asked } = dialer({ a: 'connect', b: 'closed', c: 'connect' })
    await expect(candidates.connect(dial, never)).rejects.toMatchObject({ code: 'PT_BRIDGES', stage: 'closed' })
    expect(asked).toEqual(['a', 'b', 'c'])
    // All of them rest now, and all are tried all the same.
    await expect(candidates.connect(dial, never)).rejects.toMatchObject({ code: 'PT_BRIDGES' })
    expect(asked.length).toBe(6)
  })

  test('the error of a single bridge is its own', async () => {
    const candidates = new Candidates({ lines: lines.slice(0, 1), strategy: 'failover', onFailure: () => {} })
    await expect(candidates.connect(dialer({ a: 'closed' }).dial, never)).rejects.toMatchObject({ stage: 'closed' })
  })

  test('a race takes the fastest and closes what comes too late', async () => {
    const late = conn()
    let release!: (conn: Duplex) => void
    const slow = new Promise<Duplex>((resolve) => (release = resolve))
    const fast = conn()
    const candidates = new Candidates({ lines: lines.slice(0, 2), strategy: 'race', onFailure: () => {} })
    const won = await candidates.connect(({ transport }) => (transport === 'a' ? slow : Promise.resolve(fast)), never)
    expect(won).toBe(fast)
    release(late)
    await new Promise((resolve) => setImmediate(resolve))
    expect(late.destroyed).toBe(true)
  })

  test('the signal ends it, with its reason', async () => {
    const candidates = new Candidates({ lines, strategy: 'failover', onFailure: () => {} })
    const reason = new Error('enough')
    const controller = new AbortController()
    const pending = candidates.connect(
      (_, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
      controller.signal,
    )
    controller.abort(reason)
    await expect(pending).rejects.toBe(reason)
  })

  test('those that rest come last, the soonest first', () => {
    const at = (name: number, retryAt: number): { line: (typeof lines)[0]; failures: number; retryAt: number } => ({
      line: lines[name]!,
      failures: 1,
      retryAt,
    })
    expect(inOrder([at(0, 50), at(1, 0), at(2, 20)], 10).map(({ line }) => line.transport)).toEqual(['b', 'c', 'a'])
    expect(inOrder([at(0, 50), at(1, 0), at(2, 20)], 60).map(({ line }) => line.transport)).toEqual(['a', 'b', 'c'])
  })

  test('pauses double from 5 s up to 5 min', () => {
    expect([0, 1, 2, 6, 50].map(pauseAfter)).toEqual([5_000, 10_000, 20_000, 300_000, 300_000])
  })
})
