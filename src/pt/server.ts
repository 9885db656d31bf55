/**
 * The reverse proxy (ARCH-4). Sections "Server Environment Variables" and "Server Messages".
 *
 *     SMETHOD rot_by_N 198.51.100.1:2323 ARGS:N=13
 *     PT client ══ accept() ── ORPort, or ExtORPort with USERADDR and TRANSPORT ── relay
 */
import type { Duplex } from 'node:stream'
import { messageOf } from '../error.ts'
import { connectExtOrPort } from '../extor/index.ts'
import type { Cancellation } from '../io/wait/cancellation.ts'
import type { Address, Destination, ServerTransport } from '../ipc/index.ts'
import { formatAddress } from '../ipc/index.ts'
import { prepare } from '../sessions/prepare.ts'
import type { Ports } from '../sessions/ports.ts'
import type { Rehearsals } from '../sessions/rehearsal.ts'
import { serveTransport } from '../sessions/serve-transport.ts'
import type { Incoming, OnIncoming } from '../sessions/service.ts'
import type { Connect, Replays, Report } from '../transport.ts'
import type { Launched } from './launch.ts'
import { launchAll } from './launch.ts'
import type { TransportEntry } from './registry.ts'
import { loadTransport } from './registry.ts'
import type { Reporter } from './report.ts'
import { silentReport } from '../sessions/silent-report.ts'

const DESTINATION_TIMEOUT = 30_000

/** A transport that was requested and is known, with what it was given. */
export interface ServerEntry extends ServerTransport {
  readonly entry: TransportEntry
}

export interface ServerConfig {
  /** In the order of the request. */
  readonly entries: readonly ServerEntry[]
  readonly stateDir: string
  readonly destination: Destination
  /** Opens the connections to the destination. */
  readonly connect: Connect
  readonly reporter: Reporter
  readonly ports: Ports
  /** What is played before the first connection, by transports that want that. */
  readonly rehearsals?: Rehearsals | undefined
  /** The tables of what was seen before, by the name of the transport. By default they are in memory. */
  readonly replays?: ((transport: string) => Replays) | undefined
  /** The end of one direction leaves the other open. */
  readonly halfOpen?: boolean
  /** Milliseconds: a transport's launch (60,000), its handshake with a client (180,000), the ORPort (30,000). */
  readonly launchTimeout?: number
  readonly acceptTimeout?: number
  readonly destinationTimeout?: number
  /** Milliseconds after which a delivered session that carries nothing is ended (7,200,000). */
  readonly sessionIdleTimeout?: number
  /** The number of connections beyond which a delivered session is destroyed (65,536). */
  readonly maxConnections?: number
}

/** Launches the transports, reports them up to SMETHODS DONE, and serves. Resolves with those that succeeded. */
export function startServer(config: ServerConfig): Promise<Launched[]> {
  return launchAll({
    method: 'smethod',
    entries: config.entries,
    reporter: config.reporter,
    launchTimeout: config.launchTimeout,
    secretsOf,
    launch: (entry, abandoned) => launch(entry, abandoned, config),
  })
}

/** A server's options may be its keys: we do not know what they mean. */
function secretsOf({ options }: ServerEntry): string[] {
  return [...options].map(([, value]) => value)
}

async function launch(requested: ServerEntry, abandoned: () => boolean, config: ServerConfig): Promise<Launched> {
  const { name, entry, options, bindAddress } = requested
  const { destination, rehearsals } = config
  const report = config.reporter.forTransport(name, () => secretsOf(requested))
  const others = config.entries.flatMap((other) => (other === requested ? [] : (other.bindAddress ?? [])))
  const server = await serveTransport({
    transport: await loadTransport(entry),
    args: options,
    bindAddress,
    otherAddresses: others,
    stateDir: config.stateDir,
    report,
    ports: config.ports,
    replays: config.replays?.(name),
    acceptTimeout: config.acceptTimeout,
    sessionIdleTimeout: config.sessionIdleTimeout,
    maxSessions: config.maxConnections,
    // A plain ORPort has no use for it.
    wantsUserAddr: destination.type === 'extendedOrPort',
    abandoned,
    rehearsal: rehearsals && {
      rehearsals,
      onConnection: (echo, connect) =>
        forwardTo({ name, report: silentReport, config: { ...config, connect, destination: orPortAt(echo) } }),
    },
    onConnection: forwardTo({ name, report, config }),
  })
  return {
    listener: server.listener,
    message: { type: 'smethod', transport: name, address: server.address, args: server.args },
    close: () => server.close(),
  }
}

function orPortAt(address: Address): Destination {
  return { type: 'orPort', address }
}

interface Service {
  readonly name: string
  readonly report: Report
  readonly config: ServerConfig
}

/** Takes each stream to the ORPort. */
function forwardTo(service: Service): OnIncoming {
  const { config, report } = service
  const { destinationTimeout = DESTINATION_TIMEOUT, halfOpen = false } = config
  return async (incoming) => {
    incoming.signal.again(destinationTimeout, 'the connection to the ORPort')
    const application = await connect(incoming, service, incoming.signal.cancellation)
    // This is not awaited: what this function holds is not needed as long as the connection lives.
    incoming.carryTo(application, halfOpen).catch((error: unknown) => {
      report.log('debug', `connection ended: ${messageOf(error)}`)
    })
  }
}

async function connect(
  { conn, userAddr }: Incoming,
  { name, report, config }: Service,
  signal: Cancellation,
): Promise<Duplex> {
  const { destination } = config
  try {
    const application = prepare(await config.connect(formatAddress(destination.address), signal))
    if (destination.type === 'orPort') return application
    const { cookieFile } = destination
    try {
      const about = { cookieFile, transport: name, ...(userAddr === undefined ? {} : { userAddr }) }
      await connectExtOrPort(application, about, signal)
    } catch (error) {
      application.destroy()
      throw error
    }
    return application
  } catch (error) {
    if (!conn.destroyed) {
      config.ports.connections.unserved()
      report.log('warning', `cannot forward to the ${destination.type}: ${messageOf(error)}`)
    }
    throw error
  }
}
