/** What is said of an exception that nothing has caught, before the process of a tunnel ends. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { serveEcho } from '../bridges/bridges.ts'
import { tempDir } from '../support.ts'
import { ready, startUnder } from './postern.ts'

/** Starts a server of obfs3 in which the signal SIGUSR2 causes `mistake`. */
async function startWith(mistake: string): Promise<ReturnType<typeof startUnder>> {
  const folder = tempDir()
  const preload = join(folder, 'mistake.cjs')
  writeFileSync(preload, `process.on('SIGUSR2', () => { ${mistake} })`)
  const forward = `127.0.0.1:${await serveEcho()}`
  const args = ['obfs3', '--listen', '127.0.0.1:0', '--forward', forward, '--state-dir', folder]
  const running = startUnder(['--require', preload], 'server', ...args)
  await ready(running, 'server')
  running.signal('SIGUSR2')
  return running
}

test('an exception that nothing has caught is one event without a stack, and status 1', async () => {
  const running = await startWith("throw new Error('thrown at 203.0.113.9:443')")
  expect(await running.ended()).toEqual({ status: 1, stderr: '' })
  expect(running.events.filter(({ event }) => event === 'internal-error')).toMatchObject([
    { message: 'thrown at [scrubbed]' },
  ])
})

test('a rejection that nothing has handled is an event, and the tunnel goes on', async () => {
  const running = await startWith("Promise.reject(new Error('rejected at 203.0.113.9:443'))")
  expect(await running.next(({ event }) => event === 'internal-error')).toMatchObject({
    message: 'rejected at [scrubbed]',
  })
  expect(await running.stop()).toEqual({ status: 0, stderr: '' })
})
