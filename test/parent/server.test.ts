import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { once } from 'node:events'
import { connectExtOrPort } from 'postern/extor'
import { readExactly } from 'postern/io'
import { parseAddress } from 'postern/ipc'
import type { OnConnection, PtEvent } from 'postern/parent'
import { launchServer } from 'postern/parent'
import { expect, onTestFinished, test } from 'vitest'
import { isAlive, tempDir } from '../support.ts'
import { Events, fixture } from './fixtures.ts'

const destination = { type: 'orPort', address: { host: '127.0.0.1', port: 9 } } as const

test('EXT-3: connections come with transport and client address over an Extended ORPort that the parent serves', async () => {
  const events = new Events()
  const connections: Parameters<OnConnection>[0][] = []
  const exec = fixture('environment')
  const pt = await launchServer({
    exec,
    transports: [{ name: 'a' }],
    stateDir: tempDir(),
    onEvent: events.onEvent,
    onConnection: (connection) => {
      connections.push(connection)
      connection.conn.pipe(connection.conn)
    },
  })
  const told = (name: string): string =>
    events
      .of('log')
      .find(({ message }) => message.startsWith(`${name}=`))!
      .message.slice(name.length + 1)
  const cookieFile = told('TOR_PT_AUTH_COOKIE_FILE')
  expect(statSync(cookieFile).mode & 0o777).toBe(0o600)
  expect(statSync(dirname(cookieFile)).mode & 0o777).toBe(0o700)
  const { host, port } = parseAddress(told('TOR_PT_EXTENDED_SERVER_PORT'))
  const conn = connect({ host, port })
  await connectExtOrPort(conn, { cookieFile, transport: 'a', userAddr: '[2001:db8::1]:4711' })
  conn.write('hello')
  expect(String(await readExactly(conn, 5))).toBe('hello')
  expect(connections).toMatchObject([{ transport: 'a', userAddr: { host: '2001:db8::1', port: 4711 } }])
  const closed = once(conn, 'close')
  await pt.stop()
  await closed
  expect(existsSync(dirname(cookieFile))).toBe(false)
})

test('a launch that fails leaves no Extended ORPort and no folder', async () => {
  const options = {
    exec: fixture('say', 'VERSION 1', 'SMETHODS DONE'),
    transports: [{ name: 'a' }],
    stateDir: tempDir(),
    onConnection: () => {},
  }
  const folder = tempDir()
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = folder
  onTestFinished(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  })
  const pids: number[] = []
  const folders: string[] = []
  const onEvent = (event: PtEvent): void => {
    if (event.type !== 'launching') return
    pids.push(event.pid)
    folders.push(...readdirSync(folder))
  }
  await expect(launchServer({ ...options, onEvent })).rejects.toMatchObject({ code: 'PT_LAUNCH' })
  expect(pids.map(isAlive)).toEqual([false])
  expect(folders.length).toBe(1)
  expect(readdirSync(folder)).toEqual([])
})

test('ports that the system chose are kept through a restart, as clients know them by then', async () => {
  const stateDir = tempDir()
  const events = new Events()
  const life = 'VERSION 1;SMETHOD a 127.0.0.1:4242;SMETHOD b 203.0.113.1:443;SMETHODS DONE'
  await using pt = await launchServer({
    exec: fixture('lives', life, life),
    transports: [{ name: 'a', bindAddress: '127.0.0.1:0' }, { name: 'b', bindAddress: '0.0.0.0:8443' }, { name: 'c' }],
    stateDir,
    destination,
    onEvent: events.onEvent,
    restart: { initialDelay: 1 },
  })
  const ready = events.next('ready')
  process.kill(events.pid, 'SIGKILL')
  await ready
  expect([...pt.methods.keys()]).toEqual(['a', 'b'])
  expect(readFileSync(join(stateDir, 'lives'), 'utf8').trim().split('\n')).toEqual([
    'a-127.0.0.1:0,b-0.0.0.0:8443,c-0.0.0.0:0',
    'a-127.0.0.1:4242,b-0.0.0.0:8443,c-0.0.0.0:0',
  ])
})
