import { expect, test, vi } from 'vitest'
import { failClosed, replaysInMemory } from '../../src/sessions/replays.ts'

const [one, other] = [Buffer.from('one'), Buffer.from('other')]

function recording(): { log: (severity: string, text: string) => void; said: string[] } {
  const said: string[] = []
  return { said, log: (severity, text) => void said.push(`${severity}: ${text}`) }
}

test('the table in memory remembers each id for its own time', () => {
  let now = 1_000
  const replays = replaysInMemory(() => now)
  expect([replays.testAndSet(one, 100), replays.testAndSet(one, 100)]).toEqual([false, true])
  expect([replays.testAndSet(other, 50), replays.testAndSet(other, 50)]).toEqual([false, true])
  now += 50
  expect([replays.testAndSet(other, 50), replays.testAndSet(one, 100)]).toEqual([false, true])
  now += 50
  expect(replays.testAndSet(one, 100)).toBe(false)
})

test('an answer passes as it is, at once or later', async () => {
  const { log, said } = recording()
  expect([true, false].map((answer) => failClosed({ testAndSet: () => answer }, { log }).testAndSet(one, 1))).toEqual([
    true,
    false,
  ])
  for (const answer of [true, false]) {
    expect(await failClosed({ testAndSet: () => Promise.resolve(answer) }, { log }).testAndSet(one, 1)).toBe(answer)
  }
  expect(said).toEqual([])
})

test.each<[string, () => boolean | Promise<boolean>, string]>([
  ['rejects', () => Promise.reject(new Error('the store is down')), 'the store is down'],
  ['hangs', () => new Promise(() => undefined), 'it took longer than 0.02 s'],
  [
    'throws',
    () => {
      throw new Error('a mistake')
    },
    'a mistake',
  ],
])('a table that %s counts as one that has seen everything', async (_what, testAndSet, why) => {
  const { log, said } = recording()
  const replays = failClosed({ testAndSet }, { log }, 20)
  expect([await replays.testAndSet(one, 1), await replays.testAndSet(other, 1)]).toEqual([true, true])
  expect(said).toEqual([`warning: handshakes are refused, as the table of replays gives no answer: ${why}`])
})

test('an answer that is neither true nor false counts as true', async () => {
  const testAndSet = (): Promise<boolean> => Promise.resolve(undefined as never)
  expect(await failClosed({ testAndSet }, recording()).testAndSet(one, 1)).toBe(true)
})

test('the wait for an answer leaves no timer behind', async () => {
  vi.useFakeTimers()
  try {
    await failClosed({ testAndSet: () => Promise.resolve(false) }, recording()).testAndSet(one, 1)
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})
