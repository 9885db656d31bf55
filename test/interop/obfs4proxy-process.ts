/** Debian's obfs4proxy as a peer of our transports, run by our parents. */
import type { Duplex } from 'node:stream'
import type { ArgsInit } from 'postern/ipc'
import { formatAddress } from 'postern/ipc'
import { launchClient, launchServer } from 'postern/parent'
import type { TestContext } from 'vitest'
import { onTestFinished } from 'vitest'
import { peer, tempDir } from '../support.ts'

export interface Obfs4proxyClient {
  /** A connection through the transport to `target`. */
  dial(target: string, args?: ArgsInit): Promise<Duplex>
}

/** Starts obfs4proxy as the client of `transport`. */
export async function obfs4proxyClient(context: TestContext, transport: string): Promise<Obfs4proxyClient> {
  const exec = peer('obfs4proxy', context)
  const pt = await launchClient({ exec, transports: [transport], stateDir: tempDir(), restart: false })
  onTestFinished(async () => void (await pt.stop()))
  return {
    async dial(target, args = []) {
      const conn = await pt.connect(transport, target, { args })
      onTestFinished(() => void conn.on('error', () => undefined).destroy())
      return conn
    },
  }
}

/** Starts obfs4proxy as the server of `transport`, with `use` as the application behind it; its `host:port`. */
export async function obfs4proxyServer(
  context: TestContext,
  transport: string,
  use: (conn: Duplex) => void,
): Promise<string> {
  const pt = await launchServer({
    exec: peer('obfs4proxy', context),
    transports: [{ name: transport, bindAddress: '127.0.0.1:0' }],
    stateDir: tempDir(),
    restart: false,
    onConnection: ({ conn }) => use(conn.on('error', () => undefined)),
  })
  onTestFinished(async () => void (await pt.stop()))
  return formatAddress(pt.methods.get(transport)!.address)
}
