import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { basename, dirname, join } from 'node:path'
import { once } from 'node:events'
import { connectExtOrPort } from 'postern/extor'
import { readExactly } from 'postern/io'
import { parseAddress } from 'postern/ipc'
import type { OnConnection, PtEvent, ServerPt } from 'postern/parent'
import { launchServer } from 'postern/parent'
import { expect, onTestFinished, test } from 'vitest'
import { hearUncaught, isAlive, tempDir } from '../support.ts'
import { Events, fixture } from './fixtures.ts'

const destination = { type: 'orPort', address: { host: '127.0.0.1', port: 9 } } as const

test('EXT-3: connections come with transport and client address over an Extended ORPort that the parent serves', async () => {
  const events = new Events()
  const connections: Parameters<OnConnection>[0][] = []
  const exec = fixture('environment')
  const stateDir = join(tempDir(), 'made', 'on demand')
  const pt = await launchServer({
    exec,
    transports: [{ name: 'a' }],
    stateDir,
    onEvent: events.onEvent,
    onConnection: (connection) => {
      connections.push(connection)
      connection.conn.pipe(connection.conn)
    },
  })
  const cookieFile = told(events, 'TOR_PT_AUTH_COOKIE_FILE')
  expect(statSync(cookieFile).mode & 0o777).toBe(0o600)
  expect(dirname(cookieFile)).toBe(stateDir)
  const { host, port } = parseAddress(told(events, 'TOR_PT_EXTENDED_SERVER_PORT'))
  const conn = connect({ host, port })
  await connectExtOrPort(conn, { cookieFile, transport: 'a', userAddr: '[2001:db8::1]:4711' })
  conn.write('hello')
  expect(String(await readExactly(conn, 5))).toBe('hello')
  expect(connections).toMatchObject([{ transport: 'a', userAddr: { host: '2001:db8::1', port: 4711 } }])
  const closed = once(conn, 'close')
  await pt.stop()
  await closed
  expect(readdirSync(stateDir)).toEqual([])
})

/** What the fixture `environment` has told of a variable. */
function told(events: Events, name: string): string {
  const { message } = events.of('log').find(({ message }) => message.startsWith(`${name}=`))!
  return message.slice(name.length + 1)
}

/** A server with the fixture `environment` and its Extended ORPort, until the test has finished. */
async function launchExtended(
  stateDir: string,
  onConnection: OnConnection = ({ conn }) => void conn.end('hello'),
): Promise<{ pt: ServerPt; cookieFile: string; greet: () => Promise<string> }> {
  const events = new Events()
  const exec = fixture('environment')
  const pt = await launchServer({ exec, transports: [{ name: 'a' }], stateDir, onEvent: events.onEvent, onConnection })
  onTestFinished(async () => void (await pt.stop()))
  const cookieFile = told(events, 'TOR_PT_AUTH_COOKIE_FILE')
  const { host, port } = parseAddress(told(events, 'TOR_PT_EXTENDED_SERVER_PORT'))
  const greet = async (): Promise<string> => {
    const conn = connect({ host, port })
    await connectExtOrPort(conn, { cookieFile, transport: 'a' })
    return await text(conn)
  }
  return { pt, cookieFile, greet }
}

test.each([
  ['the cookie is', (cookieFile: string) => rmSync(cookieFile)],
  ['the whole folder is', (cookieFile: string) => rmSync(dirname(cookieFile), { recursive: true })],
  ['the cookie is overwritten and', (cookieFile: string) => writeFileSync(cookieFile, 'x'.repeat(64))],
])('EXT-3: a server goes on if %s removed: the cookie is written again', async (_, remove) => {
  const { cookieFile, greet } = await launchExtended(join(tempDir(), 'state'))
  expect(await greet()).toBe('hello')
  remove(cookieFile)
  await expect(greet()).rejects.toMatchObject({ code: 'PT_EXTOR_AUTH' })
  await expect.poll(() => greet().catch(() => undefined)).toBe('hello')
  expect(statSync(cookieFile).mode & 0o777).toBe(0o600)
})

test('EXT-3: the cookie of a process that was killed is cleared by the next one, and that of a living one is not', async () => {
  const stateDir = tempDir()
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  const names = [dead, dead, process.ppid].map((pid) => `extended_orport_auth_cookie.${pid}.${'0'.repeat(16)}`)
  names[1] += `.${dead}-0123456789ab.tmp`
  for (const name of [...names, 'obfs4_state.json']) writeFileSync(join(stateDir, name), '')
  const { pt, cookieFile } = await launchExtended(stateDir)
  expect(new Set(readdirSync(stateDir))).toEqual(new Set([names[2], basename(cookieFile), 'obfs4_state.json']))
  await pt.stop()
  expect(readdirSync(stateDir).sort()).toEqual([names[2], 'obfs4_state.json'])
})

test('EXT-3: a state directory that cannot be written to is no obstacle; the cookie has a folder of its own', async () => {
  const file = join(tempDir(), 'file')
  writeFileSync(file, '')
  const { pt, cookieFile, greet } = await launchExtended(join(file, 'state'))
  expect(statSync(dirname(cookieFile)).mode & 0o777).toBe(0o700)
  expect(await greet()).toBe('hello')
  await pt.stop()
  expect(existsSync(dirname(cookieFile))).toBe(false)
})

test('EXT-3: what onConnection throws reaches the application, and the server goes on', async () => {
  const uncaught = hearUncaught()
  const mistake = new Error('of the application')
  let times = 0
  const { greet } = await launchExtended(tempDir(), ({ conn }) => {
    if (times++ === 0) throw mistake
    conn.end('hello')
  })
  await greet().catch(() => undefined)
  await expect.poll(() => uncaught).toEqual([mistake])
  expect(await greet()).toBe('hello')
})

test('a launch that fails leaves no Extended ORPort and no file', async () => {
  const stateDir = tempDir()
  const options = {
    exec: fixture('say', 'VERSION 1', 'SMETHODS DONE'),
    transports: [{ name: 'a' }],
    stateDir,
    onConnection: () => {},
  }
  const pids: number[] = []
  const files: string[] = []
  const onEvent = (event: PtEvent): void => {
    if (event.type !== 'launching') return
    pids.push(event.pid)
    files.push(...readdirSync(stateDir))
  }
  await expect(launchServer({ ...options, onEvent })).rejects.toMatchObject({ code: 'PT_LAUNCH' })
  expect(pids.map(isAlive)).toEqual([false])
  expect(files.length).toBe(1)
  expect(readdirSync(stateDir)).toEqual([])
})

test('ports that the system chose are kept through a restart, as clients know them by then', async () => {
  const stateDir = tempDir()
  const events = new Events()
  const methods = ['a 127.0.0.1:4242', 'b 203.0.113.1:443', 'd [2001:db8::7]:443', 'e [::]:5353']
  const life = ['VERSION 1', ...methods.map((method) => `SMETHOD ${method}`), 'SMETHODS DONE'].join(';')
  await using pt = await launchServer({
    exec: fixture('lives', life, life),
    transports: [
      { name: 'a', bindAddress: '127.0.0.1:0' },
      { name: 'b', bindAddress: '0.0.0.0:8443' },
      { name: 'c' },
      // Behind a front the address that is announced is not the one that it listens on.
      { name: 'd', bindAddress: '127.0.0.1:0' },
      { name: 'e', bindAddress: '0.0.0.0:0' },
    ],
    stateDir,
    destination,
    onEvent: events.onEvent,
    restart: { initialDelay: 1 },
  })
  const ready = events.next('ready')
  process.kill(events.pid, 'SIGKILL')
  await ready
  expect([...pt.methods.keys()]).toEqual(['a', 'b', 'd', 'e'])
  expect(readFileSync(join(stateDir, 'lives'), 'utf8').trim().split('\n')).toEqual([
    'a-127.0.0.1:0,b-0.0.0.0:8443,c-0.0.0.0:0,d-127.0.0.1:0,e-0.0.0.0:0',
    'a-127.0.0.1:4242,b-0.0.0.0:8443,c-0.0.0.0:0,d-127.0.0.1:0,e-0.0.0.0:5353',
  ])
})
