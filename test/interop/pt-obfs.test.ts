/** Our PT, as a parent runs it, with obfs4proxy or lyrebird at the other end. */
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { formatAddress } from 'postern/ipc'
import type { ClientPt, ServerPt } from 'postern/parent'
import { launchClient, launchServer } from 'postern/parent'
import type { TestContext } from 'vitest'
import { expect, onTestFinished, test } from 'vitest'
import { peer, root, tempDir } from '../support.ts'
import type { GoPeer } from './go-peers.ts'
import { goPeers } from './go-peers.ts'
import { exchange } from './traffic.ts'

type Program = 'postern' | GoPeer

function command(program: Program, context: TestContext): string[] {
  if (program !== 'postern') return [peer(program, context)]
  return [process.execPath, join(root, 'dist/cli/main.js'), 'pt']
}

async function server(exec: string[], name: string): Promise<{ pt: ServerPt; next: () => Promise<Duplex> }> {
  const waiting: ((conn: Duplex) => void)[] = []
  const transports = [{ name, bindAddress: '127.0.0.1:0' }]
  const onConnection = ({ conn }: { conn: Duplex }): void => waiting.shift()?.(conn)
  const pt = await launchServer({ exec, transports, stateDir: tempDir(), restart: false, onConnection })
  onTestFinished(async () => void (await pt.stop()))
  return { pt, next: () => new Promise((resolve) => waiting.push(resolve)) }
}

async function client(exec: string[], name: string): Promise<ClientPt> {
  const pt = await launchClient({ exec, transports: [name], stateDir: tempDir(), restart: false })
  onTestFinished(async () => void (await pt.stop()))
  return pt
}

test.for<[string, Program, Program]>([
  ...goPeers.flatMap((program): [string, Program, Program][] => [
    ['obfs3', 'postern', program],
    ['obfs3', program, 'postern'],
    ['obfs2', 'postern', program],
    ['obfs2', program, 'postern'],
  ]),
  ['scramblesuit', 'obfs4proxy', 'postern'],
  ['scramblesuit', 'postern', 'postern'],
])('FLOW-1, SM-3: %s carries 4 MiB each way, twice, from %s to %s', async ([name, near, far], context) => {
  const [{ pt, next }, dialler] = await Promise.all([
    server(command(far, context), name),
    client(command(near, context), name),
  ])
  const { address, args } = pt.methods.get(name)!
  // The second connection of scramblesuit is by ticket.
  for (let i = 0; i < 2; i++) {
    const [served, conn] = await Promise.all([next(), dialler.connect(name, formatAddress(address), { args })])
    const { sent, received } = await exchange(conn, served, 4)
    expect(received).toEqual(sent)
    conn.destroy()
  }
})
