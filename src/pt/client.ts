/**
 * The forward proxy. Sections "Client Messages" and "Per-Connection Arguments".
 *
 *     CMETHOD trebuchet socks5 127.0.0.1:19999
 *     parent ── SOCKS request ── dial() ── reply ── relay
 */
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { messageOf, PtError } from '../error.ts'
import { stageOf, withAdvice } from '../failure.ts'
import { carry } from '../io/carry/carry.ts'
import { listen } from '../io/tcp/listen.ts'
import type { Guest } from '../io/tcp/lobby.ts'
import { listenerOptions } from '../io/tcp/tcp.ts'
import type { TcpConn } from '../io/tcp/channel.ts'
import { secretsOf } from '../ipc/index.ts'
import type { SocksRequest } from '../socks/index.ts'
import { requireArguments } from '../sessions/arguments.ts'
import { prepare } from '../sessions/prepare.ts'
import { closeEnd } from '../sessions/close.ts'
import type { Admission } from '../sessions/connections.ts'
import type { Opened } from '../sessions/opened.ts'
import { trackOpened } from '../sessions/opened.ts'
import { ParkedDials } from '../sessions/parked.ts'
import type { Ports, Serve } from '../sessions/ports.ts'
import type { Ask, Rehearsals, Stand } from '../sessions/rehearsal.ts'
import { ignoreErrors, SessionSignal } from '../sessions/session-signal.ts'
import { acceptSocks, connectSocks } from '../socks/index.ts'
import type { Client, Connect, OpenDatagrams, Report, Transport } from '../transport.ts'
import type { Launched } from './launch.ts'
import { launchAll } from './launch.ts'
import type { TransportEntry } from './registry.ts'
import { loadTransport } from './registry.ts'
import type { Reporter } from './report.ts'
import { silentReporter } from './report.ts'

/** Arti and tor want their PTs on loopback, and no other machine has any business there. */
const LISTEN_HOST = '127.0.0.1'
const SOCKS_TIMEOUT = 10_000
/** A backstop: connecting takes up to 30 s and a handshake up to 60, and their own time limits give better reasons. */
const DIAL_TIMEOUT = 100_000
/** A parent that hangs up sooner has changed its mind, or another bridge was faster. Arti gives up after 10 s without a word. */
const PATIENCE = 5_000

export interface ClientConfig {
  /** The transports that were requested and are known, in the order of the request. */
  readonly entries: readonly TransportEntry[]
  readonly stateDir: string
  readonly connect: Connect
  readonly datagrams?: OpenDatagrams | undefined
  readonly reporter: Reporter
  readonly ports: Ports
  /** What is played before the first connection, by transports that want that. */
  readonly rehearsals?: Rehearsals | undefined
  /** The word in CMETHOD; every version is served. Default 5. */
  readonly socksVersion?: 4 | 5
  /** The end of one direction leaves the other open. */
  readonly halfOpen?: boolean
  /** Says the bridge's address in STATUS. */
  readonly unsafeLogging?: boolean
  /** Milliseconds: a transport's launch (60,000), the SOCKS request (10,000), the dial (100,000). */
  readonly launchTimeout?: number
  readonly socksTimeout?: number
  readonly dialTimeout?: number
  /** Milliseconds after which a dial that the parent gives up is told as a failure (5,000). */
  readonly patience?: number
}

/** Launches the transports, reports them up to CMETHODS DONE, and serves. Resolves with those that succeeded. */
export function startClient(config: ClientConfig): Promise<Launched[]> {
  return launchAll({
    method: 'cmethod',
    entries: config.entries,
    reporter: config.reporter,
    launchTimeout: config.launchTimeout,
    launch: (entry, abandoned) => launch(entry, abandoned, config),
  })
}

async function launch(entry: TransportEntry, abandoned: () => boolean, config: ClientConfig): Promise<Launched> {
  const { name } = entry
  const transport = await loadTransport(entry)
  const report = config.reporter.forTransport(name)
  const opened = trackOpened(config.connect)
  const client = await transport.client({ stateDir: config.stateDir, connect: opened.connect, ...report })
  const close = async (): Promise<void> => {
    await closeEnd(client, report)
    opened.destroyAll()
  }
  if (abandoned()) {
    void close()
    throw new Error('launched too late')
  }
  const listener = createServer(listenerOptions)
  const address = await listen(listener, LISTEN_HOST, 0)
  const parked = new ParkedDials()
  listener.on('close', () => parked.end())
  const service = { name, transport, client, config, parked }
  const serving = (client: Client, stand: Stand): Serve => {
    const rehearsed = { ...config, ...stand, rehearsals: undefined, reporter: silentReporter() }
    return (...accepted) => void serve({ ...service, client, config: rehearsed }, ...accepted)
  }
  config.rehearsals?.addClient(transport, serving, ask)
  config.ports.accept(listener, { name, local: true }, (...accepted) => void serve(service, ...accepted))
  const protocol = config.socksVersion === 4 ? 'socks4' : 'socks5'
  return { listener, message: { type: 'cmethod', transport: name, protocol, address }, close }
}

/** What a parent does, for a rehearsal. */
const ask: Ask = (conn, target, args, signal) => connectSocks(conn, { version: 5, target, args }, signal)

interface Service {
  readonly name: string
  readonly transport: Transport
  readonly client: Client
  readonly config: ClientConfig
  readonly parked: ParkedDials
}

/** Serves one connection of the parent up to where it carries traffic; never rejects. */
async function serve(service: Service, conn: TcpConn, admission: Admission, guest: Guest | undefined): Promise<void> {
  const { name, config } = service
  config.rehearsals?.stop()
  prepare(conn)
  let request: SocksRequest
  try {
    request = await acceptSocks(conn, { handshakeTimeout: config.socksTimeout ?? SOCKS_TIMEOUT })
  } catch (error) {
    return config.reporter.log('info', `${name}: no SOCKS request: ${messageOf(error)}`)
  }
  guest?.leave()
  const confidential = (): string[] => confidentialOf(request, config)
  const report = config.reporter.forTransport(name, confidential)
  // Read while the connection is open: a closed one has no port any more.
  const known = [...portOf(conn), ...addressOf(request, config)]
  const outgoing = trackOpened(config.connect)
  const start = performance.now()
  try {
    const bridge = await dial(conn, request, outgoing, { ...service, report })
    if (conn.destroyed) return void bridge.destroy()
    request.grant()
    admission.established()
    report.status([...known, ['CONNECT', 'Success']])
    // This is not awaited: what this function holds is not needed as long as the connection lives.
    carry(conn, bridge, { wire: bridge, halfOpen: config.halfOpen }).catch((error: unknown) =>
      report.log('debug', `connection ended: ${messageOf(error)}`),
    )
  } catch (error) {
    const failure = hasHungUp(conn) ? givenUp(outgoing, performance.now() - start, config) : error
    // Before the reply, so that a parent which reads both knows why by the time it learns that it was refused.
    if (failure !== undefined) config.reporter.failure(name, [...known, ...describe(failure)], confidential)
    request.refuse(error)
    if (failure === undefined) report.log('debug', 'the parent hung up before the connection was made')
    else report.log('notice', `connection failed: ${withAdvice(failure)}`)
  }
}

function hasHungUp(conn: TcpConn): boolean {
  return conn.destroyed || conn.readableEnded
}

/** A parent that has waited for some seconds is told what for; undefined if it did not wait so long. */
function givenUp({ connected }: Opened, waited: number, { patience = PATIENCE }: ClientConfig): PtError | undefined {
  if (waited < patience) return undefined
  const seconds = Math.max(1, Math.round(waited / 1_000))
  const what = connected
    ? 'the bridge had not answered; most likely the cert, password or key in the bridge line is not of this bridge'
    : 'no connection to the bridge had been made'
  const stage = connected ? 'timeout' : 'connect'
  return new PtError('PT_TIMEOUT', `the parent gave up after ${seconds} s, and ${what}`, { stage })
}

interface Dialling extends Service {
  readonly report: Report
}

async function dial(conn: TcpConn, request: SocksRequest, outgoing: Opened, dialling: Dialling): Promise<Duplex> {
  const { transport, client, config, parked, report } = dialling
  const { target, args } = request
  requireArguments(transport, args, 'client')
  const limit = config.dialTimeout ?? DIAL_TIMEOUT
  const signal = new SessionSignal(conn, limit, 'the connection to the bridge', true)
  const ways = config.datagrams === undefined ? {} : { datagrams: config.datagrams }
  const given = { target, args, connect: outgoing.connect, ...ways, ...report }
  const outlasting = client.outlastsParent === true ? parked.dial(limit, outgoing) : undefined
  try {
    const bridge = await signal.until(
      () =>
        outlasting === undefined
          ? client.dial(signal.session(given))
          : outlasting.run(given, (session) => client.dial(session)),
      ignoreErrors,
    )
    outlasting?.follow(signal.cancellation)
    return bridge
  } catch (error) {
    if (hasHungUp(conn)) outlasting?.park()
    else outlasting?.end()
    if (outlasting === undefined) outgoing.destroyAll()
    throw error
  } finally {
    signal.over()
  }
}

type Pairs = readonly (readonly [key: string, value: string])[]

/** The pairs of a STATUS that say how a connection failed. */
function describe(error: unknown): Pairs {
  const stage = stageOf(error)
  return [
    ['CONNECT', 'Failed'],
    ...(stage === undefined ? [] : [['STAGE', stage] as const]),
    ['ERRSTR', messageOf(error)],
  ]
}

/**
 * Which of the parent's connections it is: the local port of the parent's end of its SOCKS connection. The parent knows it too, and
 * it says nothing about a bridge. docs/decisions/0056-failures.md says why.
 */
function portOf({ remotePort }: TcpConn): Pairs {
  return remotePort === undefined ? [] : [['PORT', `${remotePort}`]]
}

function addressOf({ target }: SocksRequest, { unsafeLogging = false }: ClientConfig): Pairs {
  return unsafeLogging ? [['ADDRESS', target]] : []
}

/**
 * Values that no text may contain: the bridge's host, which may be a name that no pattern finds, and every argument, and of a
 * URL the host and the path as well.
 */
function confidentialOf({ target, args }: SocksRequest, { unsafeLogging = false }: ClientConfig): string[] {
  const known = secretsOf(target, args)
  const addresses = new Set(secretsOf(target, []))
  return unsafeLogging ? known.filter((one) => !addresses.has(one)) : known
}
