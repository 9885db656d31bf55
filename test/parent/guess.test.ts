import { Args } from 'postern/ipc'
import { expect, test } from 'vitest'
import { GuessedWords, guessStage } from '../../src/parent/guess.ts'
import { PtError } from '../../src/error.ts'
import { timePasses } from '../support.ts'

function heard(): { guessed: GuessedWords; readonly status: (pairs: Record<string, string>) => void } {
  const guessed = new GuessedWords()
  return {
    guessed,
    status: (pairs) => guessed.note({ type: 'status', transport: 'a', args: Args.from({ TRANSPORT: 'a', ...pairs }) }),
  }
}

test('STATUS-2: the reason of a PT that reports is waited for, as it may come after the SOCKS reply', async () => {
  const { guessed, status } = heard()
  status({ CONNECT: 'Success' })
  const words = guessed.since('a', Date.now())
  await timePasses(200)
  status({ CONNECT: 'Success' })
  status({ ADDRESS: '192.0.2.1:1', CONNECT: 'Failed', ERRSTR: 'no route' })
  expect(await words).toBe('CONNECT=Failed ERRSTR=no route')
})

test('a PT that reports nothing, or not this failure, is not waited for long', async () => {
  const { guessed, status } = heard()
  const start = Date.now()
  expect(await guessed.since('a', start)).toBeUndefined()
  status({ CONNECT: 'Success' })
  expect(await guessed.since('a', start)).toBeUndefined()
  const afterFirst = performance.now()
  expect(await guessed.since('a', start)).toBeUndefined()
  expect(performance.now() - afterFirst).toBeLessThan(900)
})

test.each([
  [2, 0, false, 'argument'],
  [3, 0, false, 'local'],
  [4, 0, false, 'connect'],
  [5, 0, true, 'connect'],
  [6, 0, false, 'timeout'],
  [1, 100, false, 'connect'],
  [1, 100, true, undefined],
  [1, 25_000, true, 'timeout'],
  [undefined, 100, false, 'connect'],
])('the reply %s after %i ms, with a proxy: %s, is taken for the stage %s', (reply, waited, proxy, stage) => {
  const error = new PtError('PT_SOCKS_REFUSED', 'x', reply === undefined ? {} : { reply })
  expect(guessStage(error, waited, proxy)).toBe(stage)
})

test('what is no refusal is not guessed at', () => {
  expect(guessStage(new PtError('PT_CLOSED', 'x'), 30_000, false)).toBe('closed')
  expect(guessStage(new Error('x'), 30_000, false)).toBeUndefined()
})
