/** How a server tunnel ends: its port first, then its connections, and no handshake that was accepted is cut. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { readExactly } from 'postern/io'
import type { TestContext } from 'vitest'
import { expect, onTestFinished, test } from 'vitest'
import type { TunnelServer } from '../../src/app/index.ts'
import { startTunnelServer } from '../../src/app/index.ts'
import { openBridge } from '../../src/index.ts'
import { builtIns } from '../../src/transports/index.ts'
import { ownPt, serve, serveEcho } from '../bridges/bridges.ts'
import { peer, root, tempDir } from '../support.ts'
import { goPeers } from './go-peers.ts'

function execOf(who: string, context: TestContext): string | readonly string[] | undefined {
  if (who === 'postern in process') return undefined
  return who === 'obfs4proxy' || who === 'lyrebird' ? peer(who, context) : ownPt
}

interface Far {
  readonly tunnel: TunnelServer
  readonly port: number
  readonly line: string
}

async function startFar(who: string, context: TestContext, drainTimeout: number): Promise<Far> {
  const tunnel = await startTunnelServer({
    exec: execOf(who, context),
    transports: builtIns,
    transport: 'obfs4',
    listen: '127.0.0.1:0',
    stateDir: tempDir(),
    forward: { type: 'address', target: `127.0.0.1:${await serveEcho()}` },
    drainTimeout,
  })
  onTestFinished(() => tunnel.close())
  const line = tunnel.bridgeLine()
  return { tunnel, line, port: Number(/:(\d+) /.exec(line)![1]) }
}

async function dial(line: string): Promise<Duplex> {
  const bridge = await openBridge(line)
  onTestFinished(() => bridge.close())
  return (await bridge.connect()).on('error', () => undefined)
}

async function echoes(conn: Duplex, word: string): Promise<boolean> {
  conn.write(word)
  return String(await readExactly(conn, word.length)) === word
}

/** Resolves once no program listens there any more. */
async function shut(port: number): Promise<void> {
  const state = (): Promise<string> =>
    new Promise((resolve) => {
      const conn = connect(port, '127.0.0.1')
      conn.once('connect', () => resolve('open')).once('error', () => resolve('shut'))
      conn.on('connect', () => conn.destroy())
    })
  await expect.poll(state, { timeout: 20_000 }).toBe('shut')
}

/** A relay to `port` that connects at once, and carries what the client says only when it is let. */
async function holding(port: number): Promise<{ port: number; connected: Promise<unknown>; letGo(): void }> {
  let letGo!: () => void
  let reached!: (value: unknown) => void
  const connected = new Promise((resolve) => (reached = resolve))
  const relay = createServer((near: Socket) => {
    const far = connect(port, '127.0.0.1').on('error', () => undefined)
    onTestFinished(() => void far.destroy())
    reached(once(far, 'connect'))
    letGo = () => void near.pipe(far).pipe(near)
  })
  return { port: await serve(relay), connected, letGo: () => letGo() }
}

test.for(['postern in process', 'postern', ...goPeers])(
  'the port of a bridge of %s is closed at once, and what is open goes on until it ends',
  { timeout: 60_000 },
  async (who, context) => {
    // lyrebird's connections do not end when their client has gone, so it has to be waited for.
    const endless = who === 'lyrebird'
    const { tunnel, port, line } = await startFar(who, context, endless ? 3_000 : 30_000)
    const conn = await dial(line)
    expect(await echoes(conn, 'before')).toBe(true)
    const closing = tunnel.close()
    expect(tunnel.stats.state).toBe('draining')
    await shut(port)
    expect(await echoes(conn, 'after')).toBe(true)
    conn.destroy()
    const start = performance.now()
    await closing
    expect(performance.now() - start).toBeLessThan(15_000)
  },
)

test.for(['postern in process', 'postern', 'obfs4proxy'])(
  'a handshake that a bridge of %s has accepted is finished and carried after the port was closed',
  { timeout: 60_000 },
  async (who, context) => {
    const { tunnel, port, line } = await startFar(who, context, 30_000)
    const relay = await holding(port)
    const dialled = dial(line.replace(`:${port} `, `:${relay.port} `))
    await relay.connected
    // A connection that comes after it has been served, so it has been accepted too.
    const witness = await dial(line)
    expect(await echoes(witness, 'here')).toBe(true)
    const closing = tunnel.close()
    await shut(port)
    relay.letGo()
    const conn = await dialled
    expect(await echoes(conn, 'carried')).toBe(true)
    conn.destroy()
    witness.destroy()
    await closing
  },
)

test('a bridge that has lost the request to close its port is asked again', async () => {
  // obfs4proxy loses a signal now and then (Yawning/obfs4, termmon.go: a channel without a buffer); this one always does.
  const folder = tempDir()
  const exec = join(folder, 'obfs4proxy')
  writeFileSync(exec, `#!/bin/sh\nexec '${process.execPath}' '${root}test/fixtures/pt/heedless.mjs'\n`, { mode: 0o755 })
  const said: string[] = []
  const tunnel = await startTunnelServer({
    exec,
    transport: 'obfs4',
    listen: '127.0.0.1:0',
    stateDir: tempDir(),
    forward: { type: 'address', target: '127.0.0.1:1' },
    drainTimeout: 30_000,
    onPtEvent: (event) => void (event.type === 'log' && said.push(event.message)),
  })
  onTestFinished(() => tunnel.close())
  await tunnel.close()
  expect(said).toEqual(['lost', 'closed'])
})

test.for(['postern in process', 'postern'])(
  '%s: what does not end is cut when the time is over',
  { timeout: 60_000 },
  async (who, context) => {
    const { tunnel, line } = await startFar(who, context, 1_000)
    const conn = await dial(line)
    expect(await echoes(conn, 'before')).toBe(true)
    const ended = once(conn.resume(), 'end')
    await tunnel.close()
    await ended
  },
)
