import { createServer } from 'node:net'
import { connect } from 'node:net'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { serveEcho, startBridge } from '../bridges/bridges.ts'
import { freePort, tempDir } from '../support.ts'
import { ready, start } from './postern.ts'

async function say(conn: Socket, words: string): Promise<string> {
  const answer = once(conn, 'data') as Promise<[Buffer]>
  conn.write(words)
  return (await answer)[0].toString()
}

test('24 tunnels of one file; SIGHUP with one changed: the other 23 keep their connections', async () => {
  const echo = await serveEcho()
  const line = await startBridge(echo)
  const ports = await Promise.all(Array.from({ length: 22 }, () => freePort()))
  const [spare, metrics] = [await freePort(), await freePort()]
  const dir = tempDir()
  const file = join(dir, 'tunnels.toml')
  const clients = (changed: number | undefined): string =>
    ports
      .map((port, at) => {
        const where = at === changed ? spare : port
        return `[client.c${at}]\nlisten = "127.0.0.1:${where}"\nbridges = ["${line}"]\n`
      })
      .join('\n')
  const servers = ['s0', 's1']
    .map(
      (name) =>
        `[server.${name}]\ntransport = "obfs3"\nlisten = "127.0.0.1:0"\nforward = "127.0.0.1:${echo}"\nstate-dir = "${name}"\n`,
    )
    .join('\n')
  const write = (changed?: number): void =>
    writeFileSync(file, `metrics = "127.0.0.1:${metrics}"\n\n${clients(changed)}\n${servers}`)
  write()
  const running = start('run', file)
  await Promise.all([...ports.map((_, at) => ready(running, `c${at}`)), ready(running, 's0'), ready(running, 's1')])
  const conns = await Promise.all(
    ports.map(async (port) => {
      const conn = connect(port, '127.0.0.1')
      onTestFinished(() => void conn.destroy())
      await once(conn, 'connect')
      expect(await say(conn, 'before')).toBe('before')
      return conn
    }),
  )

  writeFileSync(file, 'this is no TOML')
  running.signal('SIGHUP')
  expect(await running.next(({ event }) => event === 'reload-failed')).toMatchObject({
    message: expect.stringContaining('tunnels.toml:1: this is not TOML') as unknown,
  })

  write(7)
  const ended = once(conns[7]!, 'close')
  running.signal('SIGHUP')
  expect(await running.next(({ event }) => event === 'reloaded')).toMatchObject({
    message: '23 unchanged, 1 started, 1 ended',
  })
  for (const [at, conn] of conns.entries()) if (at !== 7) expect(await say(conn, `after ${at}`)).toBe(`after ${at}`)
  const fresh = connect(spare, '127.0.0.1')
  expect(await say(fresh, 'fresh')).toBe('fresh')
  fresh.destroy()
  // Its connections have a moment, and are then cut.
  conns[7]!.on('error', () => {})
  await ended

  const [page] = (await once(get(`http://127.0.0.1:${metrics}/metrics`), 'response')) as [IncomingMessage]
  const counts = await text(page)
  expect(counts).toContain('postern_connections_open{tunnel="c0",role="client"} 1')
  expect(counts).not.toMatch(/\d+\.\d+\.\d+\.\d+/)
  expect(await running.stop()).toEqual({ status: 0, stderr: '' })
  expect(running.events.filter(({ event }) => event === 'failure')).toEqual([])
}, 60_000)

test('a server keeps its identity in its state directory, and prints a placeholder where it listens on all addresses', async () => {
  const stateDir = tempDir()
  const lines: string[] = []
  for (const _ of [1, 2]) {
    const port = await freePort('0.0.0.0')
    const server = start(
      'server',
      'obfs4',
      `--listen=0.0.0.0:${port}`,
      '--forward=127.0.0.1:22',
      `--state-dir=${stateDir}`,
    )
    const { bridgeLine } = await ready(server, 'server')
    expect(bridgeLine).toMatch(new RegExp(`^obfs4 <IP ADDRESS>:${port} cert=\\S{70} iat-mode=0$`))
    lines.push(bridgeLine.replace(/:\d+ /, ' '))
    await server.stop()
  }
  expect(lines[1]).toBe(lines[0])
  expect(readFileSync(join(stateDir, 'obfs4_state.json'), 'utf8')).toContain('node-id')
})

test('a port that is taken: status 1, one line, nothing left', async () => {
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  onTestFinished(() => void taken.close())
  const { port } = taken.address() as { port: number }
  const client = start('client', '--listen', `127.0.0.1:${port}`, 'obfs3 127.0.0.1:1')
  const gone = client.next(() => false)
  await expect(gone).rejects.toThrow('before the event')
  expect(await client.stop()).toEqual({ status: 1, stderr: 'postern: client: the address to listen on is in use\n' })
  for (const { pid } of client.events.filter(({ event }) => event === 'pt-start')) {
    expect(() => process.kill(pid as number, 0)).toThrow('ESRCH')
  }
})
