/** What is said of an exception that nothing has caught, before the process of a tunnel ends. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { serveEcho } from '../bridges/bridges.ts'
import { tempDir } from '../support.ts'
import { ready, start } from './postern.ts'

const faulty = fileURLToPath(new URL('../fixtures/transports/faulty.mjs', import.meta.url))

test('an exception of a loaded transport that nothing has caught is one event without a stack, and status 1', async () => {
  const forward = `127.0.0.1:${await serveEcho()}`
  const running = start(
    'server',
    'faulty',
    '--load',
    faulty,
    '--listen',
    '127.0.0.1:0',
    '--forward',
    forward,
    '--state-dir',
    tempDir(),
  )
  const { bridgeLine } = await ready(running, 'faulty')
  const conn = connect(Number(bridgeLine.split(':')[1]), '127.0.0.1').on('error', () => undefined)
  onTestFinished(() => void conn.destroy())
  await once(conn, 'connect')
  conn.write('callback')
  const { status, stderr } = await running.ended()
  expect([status, stderr]).toEqual([1, ''])
  expect(running.events.filter(({ event }) => event === 'internal-error')).toMatchObject([
    { message: 'a callback of faulty has failed' },
  ])
})
