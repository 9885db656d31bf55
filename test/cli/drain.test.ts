/** SIGTERM to a server: first the port closes, then connections have time to end; what was accepted before is served. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { serveEcho } from '../bridges/bridges.ts'
import { freePort, isAlive, long, tempDir, timePasses } from '../support.ts'
import type { Running } from './postern.ts'
import { ready, start } from './postern.ts'

async function isOpen(port: number): Promise<boolean> {
  const conn = connect(port, '127.0.0.1')
  const open = await new Promise<boolean>((resolve) => {
    conn.once('connect', () => resolve(true)).once('error', () => resolve(false))
  })
  conn.destroy()
  return open
}

interface Pair {
  readonly server: Running
  /** Where the bridge listens, and where its client does. */
  readonly bridgePort: number
  readonly port: number
}

async function startPair(drainTimeout: number, ...extra: string[]): Promise<Pair> {
  const echo = await serveEcho()
  const bridgePort = await freePort()
  const flags = [
    `--listen=127.0.0.1:${bridgePort}`,
    `--forward=127.0.0.1:${echo}`,
    `--drain-timeout=${drainTimeout}`,
    ...extra,
  ]
  const server = start('server', 'obfs4', `--state-dir=${tempDir()}`, ...flags)
  const client = start('client', (await ready(server, 'server')).bridgeLine)
  return { server, bridgePort, port: Number((await ready(client, 'client')).listen.split(':')[1]) }
}

async function opened(port: number): Promise<Socket> {
  const conn = connect(port, '127.0.0.1')
  conn.on('error', () => {})
  onTestFinished(() => void conn.destroy())
  await once(conn, 'connect')
  return conn
}

async function echoes(conn: Socket, words: string): Promise<void> {
  conn.write(words)
  expect(((await once(conn, 'data')) as [Buffer])[0].toString()).toBe(words)
}

test('the port closes at once, and the connections go on until they have ended', async () => {
  const { server, bridgePort, port } = await startPair(600)
  const [a, b] = [await opened(port), await opened(port)]
  await Promise.all([echoes(a, 'a1'), echoes(b, 'b1')])
  server.signal('SIGTERM')
  await server.next(({ event }) => event === 'stopping')
  await expect.poll(() => isOpen(bridgePort)).toBe(false)
  await Promise.all([echoes(a, 'a2'), echoes(b, 'b2')])
  a.destroy()
  await echoes(b, 'b3')
  b.destroy()
  expect(await server.ended()).toEqual({ status: 0, stderr: '' })
  expect(server.events.at(-1)).toMatchObject({ event: 'closed', connections: 2, bytesUp: 10, bytesDown: 10 })
})

test('connections that are left after the time are cut', async () => {
  const { server, port } = await startPair(1)
  const conn = await opened(port)
  await echoes(conn, 'one')
  conn.resume()
  const closed = new Promise((resolve) => conn.once('close', resolve))
  server.signal('SIGTERM')
  await closed
  expect(await server.ended()).toEqual({ status: 0, stderr: '' })
})

test('a handshake that was accepted before is served, and not cut', async () => {
  const { server, bridgePort } = await startPair(600)
  // The hello of a client that is slow: it stands in the handshake while the port closes.
  const relayPort = await freePort()
  const held: (() => void)[] = []
  const middle = createServer((conn) => {
    const far = connect(bridgePort, '127.0.0.1')
    far.on('error', () => conn.destroy()).pipe(conn)
    conn.on('error', () => far.destroy()).pause()
    held.push(() => void conn.pipe(far))
  }).listen(relayPort, '127.0.0.1')
  await once(middle, 'listening')
  onTestFinished(() => void middle.close())
  const line = (await ready(server, 'server')).bridgeLine.replace(`:${bridgePort}`, `:${relayPort}`)
  const slow = start('client', line)
  const conn = await opened(Number((await ready(slow, 'client')).listen.split(':')[1]))
  await expect.poll(() => held.length).toBe(1)
  server.signal('SIGTERM')
  await server.next(({ event }) => event === 'stopping')
  await expect.poll(() => isOpen(bridgePort)).toBe(false)
  held[0]!()
  await echoes(conn, 'served')
  conn.destroy()
  expect((await server.ended()).status).toBe(0)
})

// It waits for ten seconds.
if (long)
  test('probers that are held keep a server for ten seconds, and not for the whole time', async () => {
    const { server, bridgePort, port } = await startPair(600)
    const prober = await opened(bridgePort)
    prober.write('GET / HTTP/1.1\r\n\r\n')
    const conn = await opened(port)
    await echoes(conn, 'one')
    server.signal('SIGTERM')
    await expect.poll(() => isOpen(bridgePort)).toBe(false)
    await echoes(conn, 'two')
    conn.destroy()
    expect(await server.ended()).toEqual({ status: 0, stderr: '' })
  })

test.each([
  ['in this process', 0],
  ['with --isolate, and leaves no PT behind', 1],
])('a second signal ends a long drain %s', async (_, processes) => {
  const { server, port } = await startPair(600, ...(processes === 0 ? [] : ['--isolate']))
  const conn = await opened(port)
  await echoes(conn, 'one')
  const pids = server.events.flatMap(({ pid }) => (typeof pid === 'number' ? [pid] : []))
  expect(pids).toHaveLength(processes)
  server.signal('SIGTERM')
  await server.next(({ event }) => event === 'stopping')
  // Signals within a second are one.
  await timePasses(1_100)
  expect((await server.stop()).status).toBe(1)
  await expect.poll(() => pids.some(isAlive)).toBe(false)
})

test('a reload does not wait for the connections of a server that has changed: the new one has its port at once', async () => {
  const echo = await serveEcho()
  const bridgePort = await freePort()
  const file = join(tempDir(), 'tunnels.toml')
  const write = (extra: string): void =>
    writeFileSync(
      file,
      `[server.s]\ntransport = "obfs3"\nlisten = "127.0.0.1:${bridgePort}"\nforward = "127.0.0.1:${echo}"\nstate-dir = "s"\ndrain-timeout = 600\n${extra}\n`,
    )
  write('')
  const running = start('run', file)
  await ready(running, 's')
  const client = start('client', `obfs3 127.0.0.1:${bridgePort}`)
  const port = Number((await ready(client, 'client')).listen.split(':')[1])
  const before = await opened(port)
  await echoes(before, 'before')
  write('max-connections = 9')
  running.signal('SIGHUP')
  expect(await running.next(({ event }) => event === 'reloaded')).toMatchObject({
    message: '0 unchanged, 1 started, 1 ended',
  })
  await echoes(before, 'still there')
  const after = await opened(port)
  await echoes(after, 'after')
  before.destroy()
  after.destroy()
  expect((await running.stop()).status).toBe(0)
})
