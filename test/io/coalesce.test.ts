import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Coalescing, coalescing } from '../../src/io/carry/coalesce.ts'
import { isPlain } from '../../src/plain.ts'

interface Turn {
  /** Since the end of the turn before, its pause included, in ms. */
  readonly after: number
  /** Lengths, with a `+` where the read filled its memory. */
  readonly reads: readonly string[]
}

/** Whether there was a pause behind each of the turns. */
async function pausesBehind(...turns: readonly Turn[]): Promise<boolean[]> {
  let now = 1_000
  let pauses = 0
  const coalescing = new Coalescing(
    () => now,
    (ms) => {
      now += 2 * ms
      pauses++
    },
  )
  const behind: boolean[] = []
  for (const { after, reads } of turns) {
    const before = pauses
    now += after
    for (const read of reads) coalescing.count(Number.parseInt(read, 10), read.endsWith('+'))
    await turn()
    behind.push(pauses > before)
  }
  return behind
}

describe('a process that is woken for little at a time', () => {
  test('pauses behind each turn of 16 KiB that comes less than 0.2 ms behind the one before', async () => {
    const soon = { after: 0.1, reads: ['16384'] }
    expect(await pausesBehind(soon, soon, soon, soon)).toEqual([false, true, true, true])
  })

  test('counts the reads of all its connections', async () => {
    const soon = { after: 0.1, reads: ['4096', '4096', '8192'] }
    expect(await pausesBehind(soon, soon)).toEqual([false, true])
  })

  test('does not count reads below 2 KiB', async () => {
    const messages = { after: 0.05, reads: Array.from({ length: 20 }, () => '2047') }
    const soon = { after: 0.05, reads: ['16384'] }
    expect(await pausesBehind(soon, messages, messages, soon)).toEqual([false, false, false, true])
  })

  test.each<[string, Turn]>([
    ['has fewer bytes', { after: 0.1, reads: ['8000', '8383'] }],
    ['comes later', { after: 0.21, reads: ['65000'] }],
    ['has filled the memory, and may have more to read', { after: 0.1, reads: ['16384', '65536+', '16384'] }],
  ])('does not where a turn %s, and does behind the next one', async (_, other) => {
    const soon = { after: 0.1, reads: ['16384'] }
    expect(await pausesBehind(soon, other, soon)).toEqual([false, false, true])
  })
})

test('the process sleeps for a pause, on Linux', async (context) => {
  if (process.platform !== 'linux') context.skip('it pauses on Linux only')
  if (isPlain()) context.skip('the plain mode makes no pause')
  const wait = vi.spyOn(Atomics, 'wait')
  onTestFinished(() => wait.mockRestore())
  // Where others have the processor, not every turn is soon behind the one before.
  for (let i = 0; i < 10_000 && wait.mock.calls.length === 0; i++) {
    coalescing.count(65_536, false)
    await turn()
  }
  expect(wait.mock.calls[0]?.slice(1)).toEqual([0, 0, 0.05])
  expect(wait.mock.results[0]?.value).toBe('timed-out')
})
