/**
 * The reverse proxy (ARCH-4). Sections "Server Environment Variables" and "Server Messages".
 *
 *     SMETHOD rot_by_N 198.51.100.1:2323 ARGS:N=13
 *     PT client ══ accept() ── ORPort, or ExtORPort with USERADDR and TRANSPORT ── relay
 */
import type { Server as Listener } from 'node:net'
import { createServer, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connectExtOrPort } from '../extor/index.ts'
import type { Cancellation, TcpConn } from '../io/index.ts'
import { listenerOptions } from '../io/index.ts'
import type { Destination, ServerTransport } from '../ipc/index.ts'
import { Args, DEFAULT_BIND_ADDRESS, formatAddress } from '../ipc/index.ts'
import type { Connect, Report, Server } from '../transport.ts'
import { bind } from './bind.ts'
import type { Admission } from './connections.ts'
import { messageOf } from './failure.ts'
import type { Launched } from './launch.ts'
import { launchAll } from './launch.ts'
import type { Ports } from './ports.ts'
import type { TransportEntry } from './registry.ts'
import { loadTransport } from './registry.ts'
import type { Rehearsals } from './rehearsal.ts'
import type { Reporter } from './report.ts'
import { adopt, carry, Handshake } from './session.ts'

/** A backstop: transports have limits of their own, and hold failed handshakes open for a time of their choice. */
const ACCEPT_TIMEOUT = 180_000
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
  /** What to play before the first connection, for those who want that. */
  readonly rehearsals?: Rehearsals | undefined
  /** The end of one direction leaves the other open. */
  readonly halfOpen?: boolean
  /** Milliseconds: a transport's launch (60,000), its handshake with a client (180,000), the ORPort (30,000). */
  readonly launchTimeout?: number
  readonly acceptTimeout?: number
  readonly destinationTimeout?: number
}

/** Launches the transports, reports them up to SMETHODS DONE, and serves. Resolves with the listeners. */
export function startServer(config: ServerConfig): Promise<Listener[]> {
  return launchAll({
    method: 'smethod',
    entries: config.entries,
    reporter: config.reporter,
    launchTimeout: config.launchTimeout,
    secretsOf,
    launch: (entry, abandoned) => launch(entry, abandoned, config),
  })
}

/** A server's options are its keys, for all that we know of them. */
function secretsOf({ options }: ServerEntry): string[] {
  return [...options].map(([, value]) => value)
}

async function launch(requested: ServerEntry, abandoned: () => boolean, config: ServerConfig): Promise<Launched> {
  const { name, entry, options, bindAddress = DEFAULT_BIND_ADDRESS } = requested
  const report = config.reporter.forTransport(name, () => secretsOf(requested))
  const transport = await loadTransport(entry)
  const server = await transport.server({ stateDir: config.stateDir, args: options, ...report })
  if (abandoned()) throw new Error('launched too late')
  const listener = createServer(listenerOptions)
  const others = config.entries.filter((other) => other !== requested).map((other) => other.bindAddress)
  const address = await bind(
    listener,
    bindAddress,
    others.filter((other) => other !== undefined),
  )
  const service = { name, server, report, config }
  config.rehearsals?.addServer(transport, (server, stand, address) => {
    const destination = { type: 'orPort', address } as const
    const report = stand.reporter.forTransport(name)
    const rehearsed = { name, server, report, config: { ...config, ...stand, destination } }
    return (conn, admission) => void serve(rehearsed, conn, admission)
  })
  const port = { name, local: false }
  config.ports.accept(listener, port, (conn, admission) => void serve(service, conn, admission))
  return { listener, message: { type: 'smethod', transport: name, address, args: Args.from(server.args ?? Args.none) } }
}

interface Service {
  readonly name: string
  readonly server: Server
  readonly report: Report
  readonly config: ServerConfig
}

/**
 * Serves one client up to where it carries traffic; never rejects. A failed handshake says nothing to the client (no probe
 * learns from it).
 */
async function serve(service: Service, conn: TcpConn, admission: Admission): Promise<void> {
  const { report, config } = service
  config.rehearsals?.stop()
  adopt(conn)
  // At once: a socket that is closed has forgotten it. A plain ORPort does not want it.
  const userAddr = config.destination.type === 'extendedOrPort' ? addressOf(conn) : undefined
  const ended = (error: unknown): void => report.log('debug', `connection ended: ${messageOf(error)}`)
  let client: Duplex | undefined
  const handshake = new Handshake(conn, config.acceptTimeout ?? ACCEPT_TIMEOUT, 'the handshake', false)
  try {
    client = await accept(conn, service, handshake)
    admission.established()
    handshake.again(config.destinationTimeout ?? DESTINATION_TIMEOUT, 'the connection to the ORPort')
    const application = await forward(conn, userAddr, service, handshake.cancellation)
    // Not awaited: what this function holds is not needed as long as the connection lives.
    carry(application, client, config.halfOpen ?? false)
      .catch(ended)
      .finally(() => conn.destroy())
  } catch (error) {
    client?.destroy()
    conn.destroy()
    ended(error)
  } finally {
    handshake.over()
  }
}

async function accept(conn: TcpConn, { server, report }: Service, handshake: Handshake): Promise<Duplex> {
  const session = handshake.session({ conn, ...report })
  return await handshake.until(() => server.accept(session))
}

async function forward(
  conn: TcpConn,
  userAddr: string | undefined,
  { name, report, config }: Service,
  signal: Cancellation,
): Promise<Duplex> {
  const { destination } = config
  try {
    const application = adopt(await config.connect(formatAddress(destination.address), signal))
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

/** The client as ExtORPort wants it: an IPv4 client of an IPv6 listener as IPv4, and no zone. */
function addressOf({ remoteAddress, remotePort }: TcpConn): string | undefined {
  const host = remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (host === undefined || remotePort === undefined || isIP(host) === 0) return undefined
  return formatAddress({ host, port: remotePort })
}
