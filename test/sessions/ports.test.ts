/** What a PT accepts, and when it waits: never is a connection closed because there are too many. */
import type { Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { listen } from '../../src/io/tcp/listen.ts'
import { listenerOptions } from '../../src/io/tcp/tcp.ts'
import { createConnections } from '../../src/sessions/connections.ts'
import { Descriptors } from '../../src/sessions/descriptors.ts'
import type { ConnectionLimits } from '../../src/sessions/ports.ts'
import { Ports } from '../../src/sessions/ports.ts'
import type { PtProcess } from '../pt/child.ts'
import { clientEnv, executable, portIn, rotByN, runChild, serverEnv } from '../pt/child.ts'
import { echoed } from '../support.ts'
import { echo, open, recorder, socks } from '../pt/support.ts'

interface Door {
  readonly port: number
  readonly accepted: Socket[]
  readonly listener: Server
}

/** Ports of one PT, each of which only keeps what it accepts. */
async function ports(
  names: readonly string[],
  limits: ConnectionLimits,
  descriptors?: Descriptors,
): Promise<{ doors: Door[]; lines: string[]; established: () => void }> {
  const { reporter, lines } = recorder()
  const all = new Ports(createConnections(), reporter, limits, descriptors)
  let settle: (() => void)[] = []
  const doors = await Promise.all(
    names.map(async (name) => {
      const listener = createServer(listenerOptions)
      const { port } = await listen(listener, '127.0.0.1', 0)
      const accepted: Socket[] = []
      all.accept(listener, { name, local: false }, (conn, admission) => {
        accepted.push(conn as Socket)
        settle.push(() => admission.established())
        onTestFinished(() => void conn.destroy())
      })
      onTestFinished(() => void listener.close())
      return { port, accepted, listener }
    }),
  )
  const established = (): void => {
    for (const one of settle) one()
    settle = []
  }
  return { doors, lines, established }
}

test('what is beyond the limit waits, and is accepted when another has ended; one line says so', async () => {
  const { doors, lines } = await ports(['plain'], { maxConnections: 3 })
  const [{ port, accepted }] = doors as [Door]
  const conns = await Promise.all(Array.from({ length: 6 }, () => open(port)))
  await expect.poll(() => accepted.length).toBe(3)
  // Another port of this process makes the whole way in the meantime.
  const { port: other } = await echo()
  await open(other)
  expect(accepted.length).toBe(3)
  for (let ended = 1; ended <= 3; ended++) {
    accepted[ended - 1]!.destroy()
    await expect.poll(() => accepted.length).toBe(3 + ended)
  }
  expect(conns.filter((conn) => conn.closed).length).toBeLessThanOrEqual(3)
  expect(lines).toEqual([
    'LOG SEVERITY=warning MESSAGE="plain: new connections wait until others have ended, as 3 are open"',
  ])
})

test('a transport whose handshakes are many leaves room for the others', async () => {
  const { doors, lines } = await ports(['flooded', 'quiet'], { maxConnections: 40 })
  const [flooded, quiet] = doors as [Door, Door]
  await Promise.all(Array.from({ length: 60 }, () => open(flooded.port)))
  await expect.poll(() => flooded.accepted.length).toBe(10)
  for (let count = 0; count < 9; count++) await open(quiet.port)
  await expect.poll(() => quiet.accepted.length).toBe(9)
  expect(flooded.accepted.length).toBe(10)
  expect(lines).toEqual([
    'LOG SEVERITY=warning MESSAGE="flooded: new connections wait until others have ended, as its handshakes have used up their share; other transports keep theirs"',
  ])
})

test('a share counts handshakes only: those that are over make room for more', async () => {
  const { doors, established } = await ports(['busy', 'quiet'], { maxConnections: 40 })
  const [busy] = doors as [Door, Door]
  await Promise.all(Array.from({ length: 30 }, () => open(busy.port)))
  await expect.poll(() => busy.accepted.length).toBe(10)
  established()
  await expect.poll(() => busy.accepted.length).toBeGreaterThan(15)
})

test('descriptors are counted for what is open and for what handshakes will want to open', async () => {
  // 100 in all, 12 of which are not for connections, and 8 in use.
  const descriptors = new Descriptors(100, 8)
  expect(descriptors.forConnections).toBe(80)
  const { doors, lines } = await ports(['plain'], {}, descriptors)
  const [{ port, accepted }] = doors as [Door]
  await Promise.all(Array.from({ length: 70 }, () => open(port)))
  // 55 and the 25 that as many handshakes may open.
  await expect.poll(() => accepted.length).toBe(55)
  expect(lines.length).toBe(1)
  expect(lines[0]).toContain('most of the 100 files that this process may open (LimitNOFILE, ulimit -n) are in use')
})

function limited(descriptors: number, env: NodeJS.ProcessEnv, args = 'pt'): PtProcess {
  const command = `ulimit -n ${descriptors}; exec ${process.execPath} ${executable} ${args}`
  return runChild({ command: ['/bin/sh', '-c', command], env })
}

test('a bridge with few descriptors closes nothing that comes, says so in one line, and serves again afterwards', async () => {
  const { address } = await echo()
  const env = { TOR_PT_SERVER_TRANSPORTS: 'obfs4', TOR_PT_SERVER_BINDADDR: 'obfs4-127.0.0.1:0', TOR_PT_ORPORT: address }
  const server = limited(64, serverEnv(env))
  const smethod = await server.line('SMETHOD ')
  const silent = await Promise.all(Array.from({ length: 200 }, () => open(portIn(smethod))))
  let ended = 0
  for (const conn of silent) conn.resume().once('end', () => ended++)
  const client = runChild({ args: ['pt'], env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'obfs4' }) })
  const args = / ARGS:(\S+)/.exec(smethod)![1]!.replaceAll(',', ';')
  const waiting = socks(portIn(await client.line('CMETHOD ')), `127.0.0.1:${portIn(smethod)}`, args)
  await server.line('LOG SEVERITY=warning MESSAGE="obfs4: new connections wait')
  expect(ended).toBe(0)
  for (const conn of silent) conn.destroy()
  const { conn, reply } = await waiting
  expect(reply).toBe(0)
  expect(await echoed(conn, 'served')).toBe('served')
  expect(server.stdout().match(/SEVERITY=warning/g)).toHaveLength(1)
})

test(
  'more than 4,096 connections that say nothing are held, and a client is served beside them',
  { timeout: 60_000 },
  async () => {
    const { address } = await echo()
    const env = {
      TOR_PT_SERVER_TRANSPORTS: 'obfs4',
      TOR_PT_SERVER_BINDADDR: 'obfs4-127.0.0.1:0',
      TOR_PT_ORPORT: address,
    }
    const server = runChild({ args: ['pt'], env: serverEnv(env) })
    const smethod = await server.line('SMETHOD ')
    const port = portIn(smethod)
    const silent: Socket[] = []
    let ended = 0
    while (silent.length < 4_200) {
      const conns = await Promise.all(Array.from({ length: 100 }, () => open(port)))
      for (const conn of conns) silent.push(conn.resume().once('end', () => ended++))
    }
    const client = runChild({ args: ['pt'], env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'obfs4' }) })
    const args = / ARGS:(\S+)/.exec(smethod)![1]!.replaceAll(',', ';')
    const { conn, reply } = await socks(portIn(await client.line('CMETHOD ')), `127.0.0.1:${port}`, args)
    expect(reply).toBe(0)
    expect(await echoed(conn, 'served')).toBe('served')
    expect(ended).toBe(0)
  },
)

test('a request of the parent is answered at once though 3,000 local connections say nothing', async () => {
  const { address } = await echo()
  const client = runChild({ env: clientEnv() })
  const port = portIn(await client.line('CMETHOD '))
  for (let count = 0; count < 30; count++) await Promise.all(Array.from({ length: 100 }, () => open(port)))
  expect((await socks(port, address)).reply).toBe(0)
})

test('a request of the parent is answered though silent local connections have used up the descriptors', async () => {
  const { address } = await echo()
  const client = limited(64, clientEnv(), `pt --load ${rotByN}`)
  const port = portIn(await client.line('CMETHOD '))
  const silent = await Promise.all(Array.from({ length: 100 }, () => open(port)))
  let ended = 0
  for (const conn of silent) conn.resume().once('end', () => ended++)
  const asked = socks(port, address)
  await client.line('LOG SEVERITY=warning MESSAGE="rot_by_N: new connections wait')
  expect((await asked).reply).toBe(0)
  expect(ended).toBeGreaterThan(0)
  await client.line('LOG SEVERITY=warning MESSAGE="local connections that ask for nothing are closed')
})

test('of many requests at once all are served, one after another if there are few descriptors', async () => {
  const { address } = await echo()
  const client = limited(64, clientEnv(), `pt --load ${rotByN}`)
  const port = portIn(await client.line('CMETHOD '))
  const ask = async (): Promise<number> => {
    const { conn, reply } = await socks(port, address)
    conn.destroy()
    return reply
  }
  const replies = await Promise.all(Array.from({ length: 100 }, ask))
  expect(replies).toEqual(replies.map(() => 0))
})
