/** The end of a connection, told apart: the PT ended it, or the PT ended. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { readExactly } from 'postern/io'
import type { ClientPt } from 'postern/parent'
import { launchClient } from 'postern/parent'
import { describe, expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../support.ts'
import { Events, fixture } from './fixtures.ts'

const direct = fixture('carry')
/** With a command behind the PT, so that the shell does not become it. */
const behindScript = ['/bin/sh', '-c', 'exec 3<&0; "$@" <&3; exit 3', 'sh', ...direct]

async function launchCarrier(exec: string[]): Promise<{ pt: ClientPt; events: Events }> {
  const events = new Events()
  const restart = { initialDelay: 1, maxRestarts: 100 }
  const pt = await launchClient({ exec, transports: ['a'], stateDir: tempDir(), restart, onEvent: events.onEvent })
  onTestFinished(async () => void (await pt.stop()))
  return { pt, events }
}

async function halfway(pt: ClientPt): Promise<Duplex> {
  const conn = await pt.connect('a', '192.0.2.1:1')
  conn.on('error', () => {})
  expect(String(await readExactly(conn, 4))).toBe('half')
  return conn
}

describe.each([
  ['a PT', direct],
  ['a PT behind a script', behindScript],
])('the connections of %s', (_, exec) => {
  test('PT_EXITED: have ended with it, if it is killed, however soon that is asked', async () => {
    const { pt, events } = await launchCarrier(exec)
    for (let life = 1; life <= 8; life++) {
      const conn = await halfway(pt)
      const next = events.next('ready')
      process.kill(events.wrappedPid, 'SIGKILL')
      await once(conn.resume(), 'end')
      await expect(pt.requireAlive(conn)).rejects.toMatchObject({ code: 'PT_EXITED', stage: 'closed' })
      await next
      await expect(pt.requireAlive(conn)).rejects.toMatchObject({ code: 'PT_EXITED' })
    }
  })

  test('have ended by themselves, if it lives, and no other connection is made to find out', async () => {
    const { pt, events } = await launchCarrier(exec)
    for (let count = 1; count <= 5; count++) {
      const conn = await halfway(pt)
      conn.write('enough')
      await once(conn.resume(), 'end')
      await pt.requireAlive(conn)
    }
    await halfway(pt)
    expect(events.of('status').map(({ args }) => args.get('CONNECTIONS'))).toEqual(['1', '2', '3', '4', '5', '6'])
  })
})
