/** What a tunnel counts, and the port where it is asked for. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { get, request } from 'node:http'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { serveEcho } from '../bridges/bridges.ts'
import { freePort, tempDir } from '../support.ts'
import { hostName } from '../../src/cli/tunnels/values.ts'
import { ready, start } from './postern.ts'

async function numbers(port: number): Promise<Record<string, number>> {
  const [page] = (await once(get(`http://127.0.0.1:${port}/metrics`), 'response')) as [IncomingMessage]
  const rows = [...(await text(page)).matchAll(/^postern_(\w+)\{tunnel="\w+",role="\w+"(?:,\w+="(\w+)")?\} (\d+)$/gm)]
  return Object.fromEntries(
    rows.map(([, name, label, value]) => [`${name}${label === undefined ? '' : ` ${label}`}`, Number(value)]),
  )
}

async function opened(port: number): Promise<Socket> {
  const conn = connect(port, '127.0.0.1')
  conn.on('error', () => {})
  onTestFinished(() => void conn.destroy())
  await once(conn, 'connect')
  return conn
}

async function echoed(conn: Socket, bytes: number): Promise<void> {
  let back = 0
  conn.write(Buffer.alloc(bytes, 42))
  for await (const chunk of conn.iterator({ destroyOnReturn: false }))
    if ((back += (chunk as Buffer).length) >= bytes) return
}

test.each([
  ['an address', (echo: number) => [`--forward=127.0.0.1:${echo}`], false],
  ['socks', (echo: number) => ['--forward=socks', `--allow=127.0.0.1:${echo}`], true],
])('server and client count what they carry, with a forward to %s', async (_, flags, socks) => {
  const echo = await serveEcho()
  const [serverMetrics, clientMetrics] = [await freePort(), await freePort()]
  const common = ['--listen=127.0.0.1:0', `--state-dir=${tempDir()}`, `--metrics=127.0.0.1:${serverMetrics}`]
  const server = start('server', 'obfs4', ...common, ...flags(echo))
  const { bridgeLine } = await ready(server, 'server')
  const client = start('client', bridgeLine, `--metrics=127.0.0.1:${clientMetrics}`, ...(socks ? ['--socks'] : []))
  const port = Number((await ready(client, 'client')).listen.split(':')[1])

  const conn = await opened(port)
  if (socks) {
    conn.write(Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, echo >> 8, echo & 0xff))
    let head = 0
    for await (const chunk of conn.iterator({ destroyOnReturn: false }))
      if ((head += (chunk as Buffer).length) >= 12) break
  }
  await echoed(conn, 100_000)
  const carried = {
    up: 1,
    connections_open: 1,
    connections_waiting: 0,
    connections_total: 1,
    connections_refused_total: 0,
    'bytes_total up': 100_000,
    'bytes_total down': 100_000,
    restarts_total: 0,
  }
  expect(await numbers(serverMetrics)).toEqual(carried)
  expect(await numbers(clientMetrics)).toEqual(carried)

  conn.destroy()
  const ended = { ...carried, connections_open: 0 }
  await expect.poll(() => numbers(serverMetrics)).toEqual(ended)
  await expect.poll(() => numbers(clientMetrics)).toEqual(ended)
  expect(await server.next(({ event }) => event === 'connection')).toMatchObject({ open: 1, connections: 1 })
  await server.stop()
  expect(await server.next(({ event }) => event === 'closed')).toMatchObject({ bytesUp: 100_000, bytesDown: 100_000 })
})

test('a server with an idle time-out ends what carries nothing, and leaves what does', async () => {
  const echo = await serveEcho()
  const flags = ['--listen=127.0.0.1:0', `--state-dir=${tempDir()}`, `--forward=127.0.0.1:${echo}`, '--idle-timeout=2']
  const server = start('server', 'obfs4', ...flags)
  const client = start('client', (await ready(server, 'server')).bridgeLine)
  const port = Number((await ready(client, 'client')).listen.split(':')[1])
  const [idle, busy] = [await opened(port), await opened(port)]
  await Promise.all([echoed(idle, 10), echoed(busy, 10)])
  const from = performance.now()
  const tick = setInterval(() => busy.write('x'), 200)
  busy.resume()
  onTestFinished(() => clearInterval(tick))
  idle.resume()
  await once(idle, 'close')
  expect(performance.now() - from).toBeGreaterThan(1_500)
  expect([busy.destroyed, busy.readableEnded]).toEqual([false, false])
})

describe('the metrics', () => {
  async function startMetrics(...flags: string[]): Promise<number> {
    const port = await freePort()
    await ready(start('client', 'obfs3 127.0.0.1:1', `--metrics=127.0.0.1:${port}`, ...flags), 'client')
    return port
  }

  async function statusFor(port: number, host: string, path = '/metrics'): Promise<number | undefined> {
    const asked = request({ host: '127.0.0.1', port, path, headers: { host } }).end()
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    response.resume()
    return response.statusCode
  }

  test('answer under their address, localhost and the names that were allowed, and to no other page', async () => {
    const port = await startMetrics('--metrics-host=bridge.internal', '--metrics-host=fd00::1')
    const statuses: Record<string, number | undefined> = {}
    const allowed = [
      '127.0.0.1',
      `127.0.0.1:${port}`,
      'localhost',
      'LOCALHOST:9',
      'bridge.internal:1',
      '[fd00:0::1]:80',
    ]
    const refused = [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '127.0.0.2',
      '[::1]',
      'x@localhost',
    ]
    for (const host of [...allowed, ...refused]) statuses[host] = await statusFor(port, host)
    expect(statuses).toEqual(
      Object.fromEntries([...allowed.map((host) => [host, 200]), ...refused.map((host) => [host, 403])]),
    )
    expect([await statusFor(port, 'localhost', '/'), await statusFor(port, 'evil.example', '/')]).toEqual([404, 403])
  })

  test('a request of HTTP/1.0 without a Host is refused', async () => {
    const conn = await opened(await startMetrics())
    conn.write('GET /metrics HTTP/1.0\r\n\r\n')
    expect(await text(conn)).toMatch(/^HTTP\/1\.1 403 /)
  })

  test('100 connections that say nothing keep no scrape away: the oldest of them end', async () => {
    const port = await startMetrics()
    const silent: Socket[] = []
    for (let at = 0; at < 100; at++) silent.push(await opened(port))
    expect(await statusFor(port, 'localhost')).toBe(200)
    await expect.poll(() => silent.filter((conn) => conn.closed).length).toBeGreaterThanOrEqual(68)
    expect(silent.findIndex((conn) => !conn.closed)).toBeGreaterThanOrEqual(68)
  })

  test('a name that is none is refused before anything is started', () => {
    expect(() => hostName('a b')).toThrow('neither a host name nor an IP address')
  })
})
