/** ptadapter (Python), a parent that others wrote, launches our PT at both ends of a tunnel. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { TestContext } from 'vitest'
import { expect, onTestFinished, test, vi } from 'vitest'
import { freePort, isAlive, peer, root, tempDir } from '../support.ts'

const pt = [process.execPath, join(root, 'dist/cli/main.js'), 'pt'].join(' ')

interface Ptadapter {
  readonly pid: number
  readonly state: string
  stop(): Promise<void>
}

/** Starts ptadapter with a configuration file; `flag` says as which end of the tunnel. */
function start(
  context: TestContext,
  flag: string,
  config: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Ptadapter {
  const folder = tempDir()
  const file = join(folder, 'ptadapter.ini')
  const state = join(folder, 'state')
  const sections = Object.entries(config).map(([name, values]) => {
    const lines = Object.entries(values).map(([key, value]) => `${key} = ${value.replace('{state}', state)}`)
    return [`[${name}]`, ...lines, ''].join('\n')
  })
  writeFileSync(file, sections.join('\n'))
  const child = spawn(peer('ptadapter', context), [flag, file], { stdio: ['ignore', 'ignore', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGINT')
    await gone
  }
  return { pid: child.pid!, state, stop }
}

/** The PT that a process has started. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')[0])
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.destroy())
    socket.once('error', () => undefined).once('close', (failed) => resolve(!failed))
  })
}

test.for(['obfs4', 'obfs3', 'scramblesuit'])(
  'FLOW-1, EXT-3: %s of ours at both ends of a tunnel that ptadapter runs carries 4 MiB, and ends with it',
  async (transport, context) => {
    const secret = { scramblesuit: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567' }[transport]
    const options: Record<string, string> = secret === undefined ? {} : { 'options-password': secret }
    const file = randomBytes(4 << 20)
    const app = createServer((conn) => conn.end(file)).listen(0, '127.0.0.1')
    onTestFinished(() => void app.close())
    await once(app, 'listening')
    const [bridge, local] = [await freePort(), await freePort()]
    const server = start(context, '-E', {
      server: {
        exec: pt,
        state: '{state}',
        forward: `127.0.0.1:${(app.address() as AddressInfo).port}`,
        tunnels: 'one',
      },
      one: { transport, listen: `127.0.0.1:${bridge}`, ...options },
    })
    await vi.waitUntil(() => isOpen(bridge), 15_000)
    if (transport === 'obfs4') {
      const line = readFileSync(join(server.state, 'obfs4_bridgeline.txt'), 'latin1')
      Object.assign(options, { 'options-cert': /cert=(\S+)/.exec(line)![1]!, 'options-iat-mode': '0' })
    }
    const client = start(context, '-C', {
      client: { exec: pt, state: '{state}', tunnels: 'one' },
      one: { transport, listen: `127.0.0.1:${local}`, upstream: `127.0.0.1:${bridge}`, ...options },
    })
    await vi.waitUntil(() => isOpen(local), 15_000)
    expect((await buffer(connect(local, '127.0.0.1'))).equals(file)).toBe(true)
    for (const end of [client, server]) {
      const child = childOf(end.pid)
      expect(isAlive(child)).toBe(true)
      await end.stop()
      await vi.waitUntil(() => !isAlive(child), 5_000)
    }
  },
)
