/**
 * What an observer sees if a handshake is answered with garbage: a FIN if the program had read all of it, a reset if bytes lay
 * unread in the system. obfs4proxy, lyrebird and ours, as processes, meet the same peer.
 */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { ArgsInit } from 'postern/ipc'
import { launchClient, launchServer } from 'postern/parent'
import type { TestContext } from 'vitest'
import { expect, onTestFinished, test } from 'vitest'
import { serve } from '../loopback.ts'
import { CLOSED_PORT, peer, root, tempDir } from '../support.ts'
import { goPeers } from './go-peers.ts'

type Program = 'postern' | 'obfs4proxy' | 'lyrebird'
type End = 'FIN' | 'RST'

const theirs: readonly Program[] = goPeers

function command(program: Program, context: TestContext): string[] {
  if (program === 'postern') return [process.execPath, join(root, 'dist/cli/main.js'), 'pt']
  return [peer(program, context)]
}

/**
 * How the other side ends `conn`, of which it gets `garbage` in one write. libuv takes a reset for an end if it comes with the
 * last bytes; a write then fails, which it does not after a FIN.
 */
async function endOf(conn: Socket, garbage: Buffer): Promise<End> {
  conn.write(garbage)
  return await new Promise((resolve) => {
    conn.once('end', () => conn.write('x', (error) => resolve(error == null ? 'FIN' : 'RST')))
    conn.once('error', () => resolve('RST')).resume()
  })
}

/** How a client ends its connection to a bridge that answers its first bytes with `size` bytes of garbage. */
async function clientEnds(
  program: Program,
  { name, args, sizes }: Client,
  context: TestContext,
): Promise<Record<number, End>> {
  const pt = await launchClient({
    exec: command(program, context),
    transports: [name],
    stateDir: tempDir(),
    restart: false,
  })
  onTestFinished(async () => void (await pt.stop()))
  const ends: Record<number, End> = {}
  for (const size of sizes) {
    const bridge = await new Promise<{ end: Promise<End> }>((resolve) => {
      const answer = (conn: Socket): void =>
        void conn.once('data', () => resolve({ end: endOf(conn, randomBytes(size)) }))
      void serve(answer).then(({ port }) => {
        const dialled = pt.connect(name, `127.0.0.1:${port}`, { args })
        // In obfs3 any bytes are a key, and it is after the handshake that the garbage is found out.
        dialled.then((conn) => conn.on('error', () => undefined).resume()).catch(() => undefined)
      })
    })
    ends[size] = await bridge.end
  }
  return ends
}

interface Client {
  readonly name: string
  readonly args: ArgsInit
  /** The last is a great deal; of the others one is the most that is read, and one is a byte more. */
  readonly sizes: readonly number[]
}

const cert = randomBytes(52).toString('base64').replace(/=+$/, '')

const clients: readonly Client[] = [
  { name: 'obfs4', args: { cert, 'iat-mode': '0' }, sizes: [8192, 8193, 9000, 20_000, 65_536] },
  { name: 'obfs3', args: [], sizes: [192 + 8226, 192 + 8227, 20_000, 65_536] },
  { name: 'obfs2', args: [], sizes: [24, 25, 9000, 65_536] },
  { name: 'scramblesuit', args: { password: 'A'.repeat(32) }, sizes: [1532, 1533, 9000, 65_536] },
]

test.for(clients.flatMap((client) => theirs.map((program) => [client.name, program, client] as const)))(
  'a client of %s that gets garbage for an answer ends the connection as %s does, whatever its size',
  async ([, program, client], context) => {
    const [ours, others] = await Promise.all([
      clientEnds('postern', client, context),
      clientEnds(program, client, context),
    ])
    expect(ours).toEqual(others)
    expect(new Set(Object.values(ours))).toEqual(new Set(['FIN', 'RST']))
  },
)

/** The bridge hears nothing of it if the parent hangs up during the handshake: what it sends later is still read. */
async function endAfterHangUp(program: Program, { name, args, sizes }: Client, context: TestContext): Promise<End> {
  const pt = await launchClient({
    exec: command(program, context),
    transports: [name],
    stateDir: tempDir(),
    restart: false,
  })
  onTestFinished(async () => void (await pt.stop()))
  const patience = new AbortController()
  const bridge = await new Promise<Socket>((resolve) => {
    void serve((conn) => void conn.once('data', () => resolve(conn))).then(({ port }) => {
      pt.connect(name, `127.0.0.1:${port}`, { args, signal: patience.signal }).catch(() => undefined)
    })
  })
  patience.abort(new Error('the parent has hung up'))
  // A request that came later has been answered, so the PT has seen the end of the first one.
  await pt.connect(name, `127.0.0.1:${CLOSED_PORT}`, { args }).catch(() => undefined)
  return await endOf(bridge, randomBytes(sizes.at(-1)!))
}

test.for(clients.filter(({ name }) => name !== 'obfs3').map((client) => [client.name, client] as const))(
  'a client of %s whose parent hangs up during the handshake reads on, as obfs4proxy does',
  async ([, client], context) => {
    expect(await endAfterHangUp('obfs4proxy', client, context)).toBe('RST')
    expect(await endAfterHangUp('postern', client, context)).toBe('RST')
  },
)

/** How a server ends a connection whose first bytes are garbage. */
async function serverEnds(
  program: Program,
  name: string,
  sizes: readonly number[],
  context: TestContext,
): Promise<Record<number, End>> {
  const pt = await launchServer({
    exec: command(program, context),
    transports: [{ name, bindAddress: '127.0.0.1:0' }],
    stateDir: tempDir(),
    restart: false,
    onConnection: ({ conn }) => conn.on('error', () => undefined).resume(),
  })
  onTestFinished(async () => void (await pt.stop()))
  const ends: Record<number, End> = {}
  for (const size of sizes) {
    const conn = connect({ ...pt.methods.get(name)!.address, noDelay: true, allowHalfOpen: true })
    onTestFinished(() => void conn.destroy())
    ends[size] = await endOf(conn, randomBytes(size))
  }
  return ends
}

test.for([
  ['obfs3', 'obfs4proxy', [192 + 8226, 192 + 8227, 20_000]],
  ['obfs2', 'obfs4proxy', [24, 25, 9000]],
  ['obfs2', 'lyrebird', [24, 25, 9000]],
] as const)(
  'a server of %s that gets garbage ends the connection as %s does',
  async ([name, program, sizes], context) => {
    const ours = await serverEnds('postern', name, sizes, context)
    expect(ours).toEqual(await serverEnds(program, name, sizes, context))
    expect(new Set(Object.values(ours))).toEqual(new Set(['FIN', 'RST']))
  },
)
