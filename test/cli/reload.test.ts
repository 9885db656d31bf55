/** SIGHUP to `postern run`: a reload is one step, and what cannot be done now is done later. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { Server } from 'node:net'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { serveEcho } from '../bridges/bridges.ts'
import { freePort, tempDir } from '../support.ts'
import type { Running } from './postern.ts'
import { postern, ready, start } from './postern.ts'

const line = `obfs4 127.0.0.1:1 cert=${'A'.repeat(70)} iat-mode=0`

function client(name: string, port: number, extra = ''): string {
  return `[client.${name}]\nlisten = "127.0.0.1:${port}"\nbridges = ["${line}"]\n${extra}\n`
}

function server(name: string, port: number, extra = ''): string {
  return `[server.${name}]\ntransport = "obfs3"\nlisten = "127.0.0.1:${port}"\nforward = "127.0.0.1:1"\nstate-dir = "${name}"\ndrain-timeout = 0\n${extra}\n`
}

interface Run {
  readonly running: Running
  /** Writes the file, sends SIGHUP, and resolves with what `reloaded` says. */
  readonly reload: (text: string) => Promise<unknown>
}

async function runFile(text: string, ...names: string[]): Promise<Run> {
  const file = join(tempDir(), 'tunnels.toml')
  writeFileSync(file, text)
  const running = start('run', file)
  for (const name of names) await ready(running, name)
  let reloads = 0
  return {
    running,
    async reload(text) {
      const before = reloads++
      writeFileSync(file, text)
      running.signal('SIGHUP')
      const isNext = (): boolean => running.events.filter(({ event }) => event === 'reloaded').length > before
      await running.next(({ event }) => event === 'reloaded' && isNext())
      return running.events.filter(({ event }) => event === 'reloaded')[before]!['message']
    },
  }
}

async function isOpen(port: number): Promise<boolean> {
  const conn = connect(port, '127.0.0.1')
  const open = await new Promise<boolean>((resolve) => {
    // A bridge that cannot be reached gives a reset at once, perhaps before the connection is looked at.
    conn.once('connect', () => resolve(true))
    conn.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNRESET'))
  })
  conn.destroy()
  return open
}

async function hold(port: number): Promise<Server> {
  const holder = createServer((conn) => conn.destroy()).listen(port, '127.0.0.1')
  await once(holder, 'listening')
  onTestFinished(() => void holder.close())
  return holder
}

describe('a file of which every tunnel has changed carries on', () => {
  test.each([
    ['one client', (port: number) => client('a', port), (port: number) => client('a', port, 'max-connections = 6')],
    ['one server', (port: number) => server('s', port), (port: number) => server('s', port, 'max-connections = 6')],
    ['a client that is renamed', (port: number) => client('a', port), (port: number) => client('b', port)],
    ['a server that is renamed', (port: number) => server('s', port), (port: number) => server('t', port)],
    ['a client for a server', (port: number) => client('a', port), (port: number) => server('a', port)],
  ])('%s', async (_, before, after) => {
    const port = await freePort()
    const { running, reload } = await runFile(before(port), before(port).slice(8, 9))
    expect(await reload(after(port))).toBe('0 unchanged, 1 started, 1 ended')
    expect(await isOpen(port)).toBe(true)
    expect(await running.stop()).toEqual({ status: 0, stderr: '' })
    expect(running.events.filter(({ event }) => event === 'reload-failed')).toEqual([])
  })

  test('a client and a server', async () => {
    const [a, s] = [await freePort(), await freePort()]
    const { running, reload } = await runFile(client('a', a) + server('s', s), 'a', 's')
    const changed = client('a', a, 'max-connections = 6') + server('s', s, 'max-connections = 6')
    expect(await reload(changed)).toBe('0 unchanged, 2 started, 2 ended')
    expect([await isOpen(a), await isOpen(s)]).toEqual([true, true])
    expect((await running.stop()).status).toBe(0)
  })

  test('two tunnels that change places', async () => {
    const [a, b] = [await freePort(), await freePort()]
    const { running, reload } = await runFile(client('a', a) + client('b', b), 'a', 'b')
    expect(await reload(client('a', b) + client('b', a))).toBe('0 unchanged, 2 started, 2 ended')
    const listens = running.events.flatMap(({ event, tunnel, listen }) => (event === 'ready' ? [[tunnel, listen]] : []))
    expect(Object.fromEntries(listens.slice(2))).toEqual({ a: `127.0.0.1:${b}`, b: `127.0.0.1:${a}` })
  })
})

test('a port that is taken: the tunnel stays as it was, that is said once, and it moves when the port is free', async () => {
  const [old, wanted, other] = [await freePort(), await freePort(), await freePort()]
  const { running, reload } = await runFile(client('a', old) + client('b', other), 'a', 'b')
  const holder = await hold(wanted)
  const changed = client('a', wanted) + client('b', other, 'max-connections = 6')
  expect(await reload(changed)).toBe('0 unchanged, 1 started, 1 ended, 1 to be tried again')
  expect(await running.next(({ event }) => event === 'reload-failed')).toMatchObject({
    message: 'a: the address to listen on is in use; the tunnel stays as it was, and the change is tried again',
  })
  expect([await isOpen(old), await isOpen(other)]).toEqual([true, true])
  await new Promise((resolve) => holder.close(resolve))
  await running.next(({ event, listen }) => event === 'ready' && listen === `127.0.0.1:${wanted}`)
  expect([await isOpen(old), await isOpen(wanted)]).toEqual([false, true])
  expect(running.events.filter(({ event }) => event === 'reload-failed')).toHaveLength(1)
})

test('a new tunnel whose port is taken, alone in its file, is tried again until it is there', async () => {
  const [old, wanted] = [await freePort(), await freePort()]
  const { running, reload } = await runFile(client('a', old), 'a')
  const holder = await hold(wanted)
  expect(await reload(server('s', wanted))).toBe('0 unchanged, 0 started, 1 ended, 1 to be tried again')
  await new Promise((resolve) => holder.close(resolve))
  await ready(running, 's')
  expect(await isOpen(wanted)).toBe(true)
  expect((await running.stop()).status).toBe(0)
})

test('a program that cannot be started is tried again too, and does not end the others', async () => {
  const [a, b] = [await freePort(), await freePort()]
  const { running, reload } = await runFile(client('a', a), 'a')
  const failing = client('b', b, 'exec = ["/bin/false"]')
  expect(await reload(client('a', a) + failing)).toBe('1 unchanged, 0 started, 0 ended, 1 to be tried again')
  expect(await isOpen(a)).toBe(true)
  expect(await reload(client('a', a) + client('b', b))).toBe('1 unchanged, 1 started, 0 ended')
  expect((await running.stop()).status).toBe(0)
})

test('the metrics move with the file, stay where they were if the new address is taken, and go when they are removed', async () => {
  const [a, first, second, third] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const at = (port: number): string => `metrics = "127.0.0.1:${port}"\n${client('a', a)}`
  const { running, reload } = await runFile(at(first), 'a')
  await reload(at(second))
  expect([await isOpen(first), await isOpen(second)]).toEqual([false, true])
  await hold(third)
  await reload(at(third))
  expect(await running.next(({ event }) => event === 'reload-failed')).toMatchObject({
    message: 'metrics: the address to listen on is in use; they keep their address, and it is tried again',
  })
  expect(await isOpen(second)).toBe(true)
  await reload(client('a', a))
  expect([await isOpen(first), await isOpen(second)]).toEqual([false, false])
})

test('200 SIGHUPs at once are a few reloads, and leave what runs alone', async () => {
  const port = await freePort()
  const { running, reload } = await runFile(client('a', port), 'a')
  for (let at = 0; at < 200; at++) running.signal('SIGHUP')
  await reload(client('a', port))
  expect(running.events.filter(({ event }) => event === 'ready')).toHaveLength(1)
  expect((await running.stop()).status).toBe(0)
})

test('connections of a tunnel that has not changed live through the reload of all others', async () => {
  const [a, b] = [await freePort(), await freePort()]
  const echo = await serveEcho()
  const [bridgePort] = [await freePort()]
  const bridge = `[server.s]\ntransport = "obfs3"\nlisten = "127.0.0.1:${bridgePort}"\nforward = "127.0.0.1:${echo}"\nstate-dir = "s"\n`
  const through = `[client.a]\nlisten = "127.0.0.1:${a}"\nbridges = ["obfs3 127.0.0.1:${bridgePort}"]\n`
  const { reload } = await runFile(bridge + through + client('b', b), 's', 'a', 'b')
  const conn = connect(a, '127.0.0.1')
  onTestFinished(() => void conn.destroy())
  conn.write('one')
  expect(((await once(conn, 'data')) as [Buffer])[0].toString()).toBe('one')
  expect(await reload(bridge + through + client('c', b))).toBe('2 unchanged, 1 started, 1 ended')
  conn.write('two')
  expect(((await once(conn, 'data')) as [Buffer])[0].toString()).toBe('two')
})

describe('postern run --check refuses what cannot run together', () => {
  const check = (text: string): { status: number | null; stderr: string } => {
    const file = join(tempDir(), 'tunnels.toml')
    writeFileSync(file, text)
    return postern(['run', '--check', file])
  }

  test.each([
    [
      'one address twice',
      client('a', 9000) + client('b', 9000),
      'tunnels.toml:6: client.b.listen: a listens there already',
    ],
    ['a client and a server', client('a', 9000) + server('s', 9000), 'server.s.listen: a listens there already'],
    [
      'all addresses and one of them',
      server('s', 9000).replace('127.0.0.1:9000', '0.0.0.0:9000') + server('t', 9000),
      'server.t.listen: s listens there already',
    ],
    [
      'the metrics',
      `metrics = "127.0.0.1:9000"\n${client('a', 9000)}`,
      'client.a.listen: the metrics are there already',
    ],
    [
      'two bridges of one transport and one identity',
      server('s', 9000) + server('t', 9001).replace('"t"', '"./x/../s"'),
      'server.t.state-dir: it is the one of s, with the same transport',
    ],
  ])('%s', (_, text, message) => {
    const { status, stderr } = check(text)
    expect(stderr).toContain(message)
    expect(status).toBe(2)
  })

  test.each([
    ['ports of the system’s choice', client('a', 0) + client('b', 0)],
    ['other addresses', client('a', 9000) + client('b', 9000).replace('127.0.0.1', '127.0.0.2')],
    [
      'one state directory for two transports',
      server('s', 9000) + server('t', 9001).replace('"t"', '"s"').replace('obfs3', 'obfs2'),
    ],
  ])('and nothing else: %s', (_, text) => {
    expect(check(text)).toMatchObject({ status: 0, stderr: '' })
  })
})
