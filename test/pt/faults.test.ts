/** Faults that a PT meets in the field, on real processes: docs/pt.md promises what is shown here. */
import type { Socket } from 'node:net'
import { readExactly } from 'postern/io'
import { expect, test } from 'vitest'
import type { PtProcess } from './child.ts'
import { clientEnv, portIn, program, runChild, serverEnv, usageOf } from './child.ts'
import { echoed } from '../support.ts'
import { application, open, readAll, socks, socksRequest } from './support.ts'

/** A reproducible sequence of numbers in [0, 1) (mulberry32). */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

async function atOnce(count: number, width: number, act: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await act(next++)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

interface Pair {
  readonly client: PtProcess
  readonly server: PtProcess
  readonly port: number
  readonly bridge: string
}

/** Client and server, and an application that echoes and breaks every fourth connection in the middle. */
async function pair(next: () => number): Promise<Pair> {
  const { address } = await application((conn) => {
    if (next() < 0.75) return void conn.pipe(conn)
    conn.once('end', () => conn.end())
    conn.once('data', (chunk: Buffer) => {
      conn.write(chunk)
      if (next() < 0.5) conn.resetAndDestroy()
      else conn.end()
    })
  })
  const server = runChild({ env: serverEnv({ TOR_PT_ORPORT: address }) })
  const client = runChild({ env: clientEnv() })
  const bridge = `127.0.0.1:${portIn(await server.line('SMETHOD '))}`
  return { client, server, port: portIn(await client.line('CMETHOD ')), bridge }
}

function leave(conn: Socket, how: number): void {
  if (how < 0.4) conn.destroy()
  else if (how < 0.8) conn.resetAndDestroy()
  else conn.end()
}

/** One connection that is cut at a random point of the SOCKS request, of the dial, or of the traffic. */
async function cutSomewhere({ port, bridge }: Pair, next: () => number): Promise<void> {
  const conn = await open(port)
  const request = socksRequest(bridge, 'N=13')
  const point = next()
  if (point < 0.3) conn.write(request.subarray(0, Math.floor(next() * request.length)))
  else conn.write(request)
  if (point >= 0.4) {
    const granted = await readExactly(conn, 14).catch(() => undefined)
    if (granted !== undefined) conn.write(Buffer.alloc(1_000 + Math.floor(next() * 100_000)))
    if (point >= 0.7) await readExactly(conn, 1 + Math.floor(next() * 1_000)).catch(() => undefined)
  }
  conn.resume()
  leave(conn, next())
}

test(
  '1,000 connections cut at random points leave no socket and no memory behind, and others are served',
  { timeout: 120_000 },
  async () => {
    const next = random(20_261_123)
    const all = await pair(next)
    const pids = [all.client.child.pid!, all.server.child.pid!]
    const idle = pids.map((pid) => usageOf(pid).sockets)
    await atOnce(200, 20, () => cutSomewhere(all, next))
    const warm = pids.map((pid) => usageOf(pid).rss)
    await atOnce(1_000, 20, () => cutSomewhere(all, next))
    for (;;) {
      // The application breaks some connections; one of the next few is left alone.
      const { conn, reply } = await socks(all.port, all.bridge)
      expect(reply).toBe(0)
      if ((await echoed(conn, 'alive').catch(() => '')) === 'alive') break
    }
    await expect.poll(() => pids.map((pid) => usageOf(pid).sockets), { timeout: 20_000 }).toEqual(idle)
    for (const [index, pid] of pids.entries()) expect(usageOf(pid).rss - warm[index]!).toBeLessThan(60)
    for (const pt of [all.client, all.server]) {
      pt.child.kill('SIGTERM')
      expect(await pt.exit).toBe(0)
      expect(pt.stderr()).toBe('')
      expect(pt.stdout()).not.toContain('SEVERITY=error')
    }
  },
)

test(
  '200 clients that say one byte and wait are cut at the deadline, while others are served',
  { timeout: 60_000 },
  async () => {
    const { address } = await application((conn) => void conn.pipe(conn))
    // The deadline has to be later than all that is done before it, on a busy machine too.
    const pt = runChild({ command: program('socksTimeout: 10_000'), env: clientEnv() })
    const port = portIn(await pt.line('CMETHOD '))
    const idle = usageOf(pt.child.pid!).sockets
    const waiting = await Promise.all(Array.from({ length: 200 }, () => open(port)))
    const ends = waiting.map((conn) => {
      conn.write(Buffer.of(5))
      return readAll(conn)
    })
    let cut = 0
    for (const end of ends) void end.then(() => cut++)
    await expect.poll(() => usageOf(pt.child.pid!).sockets).toBe(idle + 200)
    for (let i = 0; i < 20; i++) {
      const { conn, reply } = await socks(port, address)
      expect(reply).toBe(0)
      expect(await echoed(conn, 'served')).toBe('served')
    }
    expect(cut).toBe(0)
    expect(await Promise.all(ends)).toEqual(waiting.map(() => ''))
    await expect.poll(() => usageOf(pt.child.pid!).sockets).toBe(idle)
  },
)
