import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { serveEcho, startBridge } from '../bridges/bridges.ts'
import { freePort, tempDir } from '../support.ts'
import { ready, start } from './postern.ts'

test('a bridge that was down is used again once it is back, and no connection had to wait for it', async () => {
  const echo = await serveEcho()
  const [port, stateDir] = [await freePort(), tempDir()]
  const bridge = [
    'server',
    'obfs4',
    `--listen=127.0.0.1:${port}`,
    `--forward=127.0.0.1:${echo}`,
    '--state-dir',
    stateDir,
  ]
  const first = start(...bridge)
  const { bridgeLine } = await ready(first, 'server')
  await first.stop()

  const client = start('client', bridgeLine, await startBridge(echo))
  const { listen } = await ready(client, 'client')
  const exchange = async (): Promise<void> => {
    const conn = connect(Number(listen.split(':')[1]), '127.0.0.1')
    conn.write('hello')
    expect(String(((await once(conn, 'data')) as [Buffer])[0])).toBe('hello')
    conn.destroy()
  }
  await exchange()
  expect(await client.next(({ event }) => event === 'failure')).toMatchObject({ stage: 'connect', bridge: 1 })
  const again = start(...bridge)
  await ready(again, 'server')
  expect(await client.next(({ event }) => event === 'recovery')).toMatchObject({ bridge: 1 })
  await exchange()
  // The first one was the try in the background.
  expect(await again.next(({ event, connections }) => event === 'connection' && connections === 2)).toBeDefined()
  expect(client.events.filter(({ event }) => event === 'failure').length).toBe(1)
}, 60_000)
