import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { StopRequest } from '../../src/pt/shutdown.ts'
import { watchForStop } from '../../src/pt/shutdown.ts'

function watch(): { request: StopRequest; signal: (name: 'SIGTERM' | 'SIGINT') => void; killParent: () => void } {
  let alive = true
  let listener!: (signal: 'SIGTERM' | 'SIGINT') => void
  const request = watchForStop({ parentIsAlive: () => alive, onSignal: (given) => (listener = given) })
  return { request, signal: (name) => listener(name), killParent: () => void (alive = false) }
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  'STOP-3: %s is a reason to stop, and a second signal is one to hurry',
  async (name) => {
    const { request, signal } = watch()
    signal(name)
    expect(await request.first).toBe(name)
    signal('SIGTERM')
    await request.hurry
  },
)

test('STOP-2, ENV-8: a stdin that is watched and ends is a reason to stop; what came before its end is thrown away', async () => {
  const { request, signal } = watch()
  const stdin = new PassThrough()
  request.watchStdin(stdin)
  stdin.write(Buffer.alloc(1 << 20))
  stdin.end()
  expect(await request.first).toBe('stdin closed')
  signal('SIGTERM')
  await request.hurry
})

test('STOP-2: a stdin that breaks has closed', async () => {
  const { request } = watch()
  const stdin = new PassThrough()
  request.watchStdin(stdin)
  stdin.destroy(new Error('EIO'))
  await once(stdin, 'error')
  expect(await request.first).toBe('stdin closed')
})

test('STOP-4: a parent that has died is a reason to stop, within the second that its look-up takes', async () => {
  const { request, killParent } = watch()
  killParent()
  expect(await request.first).toBe('parent died')
})
