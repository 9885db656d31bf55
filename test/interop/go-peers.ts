/** The Go programs that speak obfs4, obfs3 and obfs2, as peers of our transports and run by our parents. */
import type { Duplex } from 'node:stream'
import type { ArgsInit } from 'postern/ipc'
import { formatAddress } from 'postern/ipc'
import { launchClient, launchServer } from 'postern/parent'
import type { TestContext } from 'vitest'
import { onTestFinished } from 'vitest'
import { long, peer, tempDir } from '../support.ts'

export type GoPeer = 'obfs4proxy' | 'lyrebird'

/**
 * obfs4proxy is what Debian's stable releases have; lyrebird is its successor, which Tor Browser has. `npm test` tries the first
 * and `npm run test:long`, which CI runs too, both.
 */
export const goPeers: readonly GoPeer[] = long ? ['obfs4proxy', 'lyrebird'] : ['obfs4proxy']

export interface GoClient {
  /** A connection through the transport to `target`. */
  dial(target: string, args?: ArgsInit): Promise<Duplex>
}

/** Starts `program` as the client of `transport`. */
export async function goClient(context: TestContext, program: GoPeer, transport: string): Promise<GoClient> {
  const exec = peer(program, context)
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

/** Starts `program` as the server of `transport`, with `use` as the application behind it; its `host:port`. */
export async function goServer(
  context: TestContext,
  program: GoPeer,
  transport: string,
  use: (conn: Duplex) => void,
): Promise<string> {
  const pt = await launchServer({
    exec: peer(program, context),
    transports: [{ name: transport, bindAddress: '127.0.0.1:0' }],
    stateDir: tempDir(),
    restart: false,
    onConnection: ({ conn }) => use(conn.on('error', () => undefined)),
  })
  onTestFinished(async () => void (await pt.stop()))
  return formatAddress(pt.methods.get(transport)!.address)
}
