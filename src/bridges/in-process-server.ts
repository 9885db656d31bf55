/**
 * The server of a built-in transport without a sub-process: it is given what a PT would give it, and hands its streams over.
 */
import { mkdir } from 'node:fs/promises'
import type { Address, ArgsInit } from '../ipc/index.ts'
import { Args, formatAddress } from '../ipc/index.ts'
import type { ServerMethod } from '../parent/index.ts'
import { createConnections } from '../sessions/connections.ts'
import { Rehearsals } from '../sessions/rehearsal.ts'
import type { OnIncoming } from '../sessions/service.ts'
import { serveTransport } from '../sessions/serve-transport.ts'
import type { Report } from '../transport.ts'
import type { TransportSource } from './dialer.ts'
import { loadSource } from './dialer.ts'
import { ownPorts } from './own-ports.ts'
import { bridgeLineOf } from './server-line.ts'

export interface InProcessServerOptions {
  /** The transports that there are, and the name of the one that is served. */
  readonly transports: readonly TransportSource[]
  readonly name: string
  readonly bindAddress: Address
  readonly options?: ArgsInit | undefined
  /** The folder for the server's identity. It is made if it is missing. */
  readonly stateDir: string
  /** Connections at once; the next ones wait to be accepted. */
  readonly maxConnections?: number | undefined
  readonly halfOpen: boolean
  /** True if `onConnection` reads the address of the client. Default false. */
  readonly wantsUserAddr?: boolean | undefined
  readonly log: Report['log']
  readonly onConnection: OnIncoming
}

export interface InProcessServer extends ServerMethod {
  /** As of BridgeServer. */
  bridgeLine(publicAddress?: string): string
  /** Frees the port; connections and handshakes go on. */
  closeListener(): void
  /** Resolves when all have ended; those that are left after `ms` milliseconds are cut. */
  drain(ms: number): Promise<void>
  /** Ends everything. Never rejects. */
  close(): Promise<void>
}

/** Rejects with PT_LAUNCH if there is no such transport, with what the transport throws, or with the system's error. */
export async function inProcessServer(options: InProcessServerOptions): Promise<InProcessServer> {
  const { name, transports, bindAddress, stateDir, maxConnections, halfOpen, log, onConnection } = options
  const transport = await loadSource(name, transports)
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const rehearsals = new Rehearsals()
  const server = await serveTransport({
    transport,
    args: Args.from(options.options ?? Args.none),
    bindAddress,
    stateDir,
    ports: ownPorts(),
    connections: createConnections(),
    maxConnections,
    portLog: log,
    report: { log, status: () => undefined },
    wantsUserAddr: options.wantsUserAddr ?? false,
    onConnection,
    rehearsal: {
      rehearsals,
      onConnection: (echo, connect) => async (incoming) => {
        const far = await connect(formatAddress(echo), incoming.signal.cancellation)
        incoming.carryTo(far, halfOpen).catch(() => undefined)
      },
    },
  })
  setImmediate(() => void rehearsals.run())
  return {
    address: server.address,
    args: server.args,
    bridgeLine: (publicAddress) => bridgeLineOf(transport.name, server, publicAddress),
    closeListener: () => server.closeListener(),
    drain: (ms) => server.drain(ms),
    close: async () => {
      rehearsals.stop()
      await server.close()
    },
  }
}
