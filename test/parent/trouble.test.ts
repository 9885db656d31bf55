import { Args } from 'postern/ipc'
import { expect, test } from 'vitest'
import { delay } from '../../src/io/wait/deadline.ts'
import { Trouble } from '../../src/parent/trouble.ts'

function heard(): { trouble: Trouble; readonly status: (pairs: Record<string, string>) => void } {
  const trouble = new Trouble(undefined)
  return {
    trouble,
    status: (pairs) =>
      trouble.onEvent({ type: 'status', transport: 'a', args: Args.from({ TRANSPORT: 'a', ...pairs }) }),
  }
}

test('STATUS-2: the reason of a PT that reports is waited for, as it may come after the SOCKS reply', async () => {
  const { trouble, status } = heard()
  status({ CONNECT: 'Success' })
  const words = trouble.awaited('a', Date.now())
  await delay(200)
  status({ CONNECT: 'Success' })
  status({ ADDRESS: '192.0.2.1:1', CONNECT: 'Failed', ERRSTR: 'no route' })
  expect(await words).toBe('CONNECT=Failed ERRSTR=no route')
})

test('a PT that reports nothing, or not this failure, is not waited for long', async () => {
  const { trouble, status } = heard()
  const start = Date.now()
  expect(await trouble.awaited('a', start)).toBeUndefined()
  status({ CONNECT: 'Success' })
  expect(await trouble.awaited('a', start)).toBeUndefined()
  const afterFirst = performance.now()
  expect(await trouble.awaited('a', start)).toBeUndefined()
  expect(performance.now() - afterFirst).toBeLessThan(900)
})
