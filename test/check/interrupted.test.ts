/** Checks that are interrupted before the first probe, while a program that says nothing is waited for. */
import { checkParent, checkPt } from 'postern/check'
import { expect, test } from 'vitest'

/** Longer than this test may take: without the signal it would fail. */
const patience = 600_000

test.for([
  ['a PT', (signal: AbortSignal) => checkPt({ exec: ['sleep', '600'], patience, signal })],
  [
    'a parent',
    (signal: AbortSignal) => checkParent({ exec: ['sh', '-c', 'exec sleep 600', '{pt}'], patience, signal }),
  ],
] as const)('a check of %s that is interrupted rejects with the reason of its signal', async ([, check]) => {
  const stop = new AbortController()
  const reason = new Error('enough')
  setTimeout(() => stop.abort(reason), 300)
  await expect(check(stop.signal)).rejects.toBe(reason)
  await expect(check(stop.signal)).rejects.toBe(reason)
})
