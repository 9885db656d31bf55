/** Debian's obfs4proxy as a peer: one process for each role, asked by its environment and through SOCKS as tor does. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import type { TestContext } from 'vitest'
import { onTestFinished } from 'vitest'
import { listen, readExactly } from '../../src/io/index.ts'
import type { ArgsInit } from '../../src/ipc/index.ts'
import { formatClientArgs, parseAddress } from '../../src/ipc/index.ts'
import { peer } from '../support.ts'

export interface Obfs4proxyClient {
  /** A connection through the transport to `target`, as the SOCKS port gives it. */
  dial(target: string, args?: ArgsInit): Promise<Socket>
}

/** Starts obfs4proxy as the client of `transport`. */
export async function obfs4proxyClient(
  context: TestContext,
  transport: string,
  stateDir: string,
): Promise<Obfs4proxyClient> {
  const line = await start(context, stateDir, /^CMETHOD \S+ socks5 (\S+)$/, { TOR_PT_CLIENT_TRANSPORTS: transport })
  return { dial: async (target, args = []) => await socks(line, target, formatClientArgs(args)) }
}

/** Starts obfs4proxy as the server of `transport`, with `use` as the application behind it; its `host:port`. */
export async function obfs4proxyServer(
  context: TestContext,
  transport: string,
  stateDir: string,
  use: (conn: Socket) => void,
): Promise<string> {
  const application = createServer({ allowHalfOpen: true, noDelay: true }, (conn) => {
    use(conn.on('error', () => undefined))
  })
  const { port } = await listen(application, '127.0.0.1', 0)
  onTestFinished(() => void application.close())
  return await start(context, stateDir, /^SMETHOD \S+ (\S+)/, {
    TOR_PT_SERVER_TRANSPORTS: transport,
    TOR_PT_SERVER_BINDADDR: `${transport}-127.0.0.1:0`,
    TOR_PT_ORPORT: `127.0.0.1:${port}`,
  })
}

/** Runs it until the test ends; resolves with the address in the line that `wanted` matches. */
async function start(
  context: TestContext,
  stateDir: string,
  wanted: RegExp,
  role: Record<string, string>,
): Promise<string> {
  const child = spawn(peer('obfs4proxy', context), [], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      TOR_PT_MANAGED_TRANSPORT_VER: '1',
      TOR_PT_STATE_LOCATION: stateDir,
      TOR_PT_EXIT_ON_STDIN_CLOSE: '1',
      ...role,
    },
  })
  onTestFinished(async () => {
    if (child.exitCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    const found = wanted.exec(line)?.[1]
    if (found !== undefined) {
      child.stdout.resume()
      return found
    }
  }
  throw new Error(`obfs4proxy ended: ${lines.join(' | ')}`)
}

/** SOCKS 5 with the arguments in user name and password; each step waits for its answer, as obfs4proxy demands. */
async function socks(proxy: string, target: string, args: string): Promise<Socket> {
  const conn = connect({ ...parseAddress(proxy), noDelay: true, allowHalfOpen: true })
  await once(conn, 'connect')
  onTestFinished(() => void conn.destroy())
  const [user, password] = [Buffer.from(args.slice(0, 255)), Buffer.from(args.slice(255) || '\0')]
  if (args !== '') {
    await step(conn, [5, 1, 2], 2)
    await step(conn, [1, user.length, ...user, password.length, ...password], 2)
  } else await step(conn, [5, 1, 0], 2)
  const { host, port } = parseAddress(target)
  const reply = await step(conn, [5, 1, 0, 1, ...host.split('.').map(Number), port >> 8, port & 255], 10)
  if (reply[1] !== 0) throw new Error(`obfs4proxy replied ${reply[1]}`)
  return conn
}

async function step(conn: Duplex, bytes: readonly number[], reply: number): Promise<Buffer> {
  conn.write(Buffer.from(bytes))
  return await readExactly(conn, reply)
}
