/** What the tests of app share: bridges of built-in transports and of obfs4proxy, with a program behind them. */
import { randomBytes } from 'node:crypto'
import type { AddressInfo, Server } from 'node:net'
import { createServer } from 'node:net'
import { onTestFinished } from 'vitest'
import { listen } from '../../src/io/tcp/listen.ts'
import { launchServer } from '../../src/parent/index.ts'
import { formatAddress } from '../../src/ipc/index.ts'
import { formatBridgeLine } from '../../src/app/index.ts'
import { root, tempDir } from '../support.ts'

/** Our PT, as built. */
export const ownPt: readonly string[] = [process.execPath, `${root}dist/cli/main.js`, 'pt']

/** Listens on loopback until the test has finished, and cuts off whoever is left. */
export async function serve(server: Server): Promise<number> {
  const open = new Set<{ destroy(): unknown }>()
  server.on('connection', (conn) => {
    open.add(conn)
    conn.on('error', () => {})
    conn.once('close', () => open.delete(conn))
  })
  await listen(server, '127.0.0.1', 0)
  onTestFinished(() => {
    server.close()
    for (const conn of open) conn.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** A server that sends back what it gets. */
export async function serveEcho(): Promise<number> {
  return await serve(createServer({ allowHalfOpen: true }, (conn) => conn.pipe(conn)))
}

/** A bridge in front of a port of this machine, until the test has finished; its line. */
export async function startBridge(
  port: number,
  { exec = ownPt, transport = 'obfs4' }: { exec?: string | readonly string[]; transport?: string } = {},
): Promise<string> {
  const server = await launchServer({
    exec,
    transports: [{ name: transport, bindAddress: '127.0.0.1:0' }],
    stateDir: tempDir(),
    destination: { type: 'orPort', address: { host: '127.0.0.1', port } },
  })
  onTestFinished(async () => void (await server.stop()))
  const { address, args } = server.methods.get(transport)!
  return formatBridgeLine({ transport, address: formatAddress(address), args })
}

/** The line with the cert of another bridge. */
export function withWrongCert(line: string): string {
  const cert = randomBytes(52).toString('base64').replace(/=+$/, '')
  return line.replace(/cert=\S+/, `cert=${cert}`)
}
