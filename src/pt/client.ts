/**
 * The forward proxy. Sections "Client Messages" and "Per-Connection Arguments".
 *
 *     CMETHOD trebuchet socks5 127.0.0.1:19999
 *     parent ── SOCKS request ── dial() ── reply ── relay
 */
import type { Server } from 'node:net'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { PtError, stageOf } from '../error.ts'
import type { Guest, TcpConn } from '../io/index.ts'
import { listen, listenerOptions } from '../io/index.ts'
import { secretsOf } from '../ipc/index.ts'
import type { SocksRequest } from '../socks/index.ts'
import { acceptSocks } from '../socks/index.ts'
import type { Client, Connect, Report } from '../transport.ts'
import type { Admission } from './connections.ts'
import { explain, messageOf } from './failure.ts'
import type { Launched } from './launch.ts'
import { launchAll } from './launch.ts'
import { ParkedDials } from './parked.ts'
import type { Ports } from './ports.ts'
import type { TransportEntry } from './registry.ts'
import { loadTransport } from './registry.ts'
import type { Rehearsals } from './rehearsal.ts'
import type { Reporter } from './report.ts'
import type { Opened } from './session.ts'
import { adopt, carry, Handshake, trackOpened } from './session.ts'

/** Arti and tor want their PTs on loopback, and nobody else has any business there. */
const LISTEN_HOST = '127.0.0.1'
const SOCKS_TIMEOUT = 10_000
/** A backstop: connecting takes up to 30 s and a handshake up to 60, and who runs out of time first has the better reason. */
const DIAL_TIMEOUT = 100_000
/** Whoever hangs up sooner has changed its mind, or another bridge was faster. Arti gives up after 10 s, and asks nobody why. */
const PATIENCE = 5_000

export interface ClientConfig {
  /** Those that were requested and are known, in the order of the request. */
  readonly entries: readonly TransportEntry[]
  readonly stateDir: string
  readonly connect: Connect
  readonly reporter: Reporter
  readonly ports: Ports
  /** What to play before the first connection, for those who want that. */
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

/** Launches the transports, reports them up to CMETHODS DONE, and serves. Resolves with the listeners. */
export function startClient(config: ClientConfig): Promise<Server[]> {
  return launchAll({
    method: 'cmethod',
    entries: config.entries,
    reporter: config.reporter,
    launchTimeout: config.launchTimeout,
    launch: (entry, abandoned) => launch(entry, abandoned, config),
  })
}

async function launch(entry: TransportEntry, abandoned: () => boolean, config: ClientConfig): Promise<Launched> {
  const transport = await loadTransport(entry)
  const client = await transport.client({
    stateDir: config.stateDir,
    ...config.reporter.forTransport(entry.name),
  })
  if (abandoned()) throw new Error('launched too late')
  const listener = createServer(listenerOptions)
  const address = await listen(listener, LISTEN_HOST, 0)
  const parked = new ParkedDials()
  listener.on('close', () => parked.end())
  const service = { name: entry.name, client, config, parked }
  config.rehearsals?.addClient(transport, (client, stand) => {
    const rehearsed = { ...service, client, config: { ...config, ...stand } }
    return (...accepted) => void serve(rehearsed, ...accepted)
  })
  config.ports.accept(listener, { name: entry.name, local: true }, (...accepted) => void serve(service, ...accepted))
  const protocol = config.socksVersion === 4 ? 'socks4' : 'socks5'
  return { listener, message: { type: 'cmethod', transport: entry.name, protocol, address } }
}

interface Service {
  readonly name: string
  readonly client: Client
  readonly config: ClientConfig
  readonly parked: ParkedDials
}

/** Serves one connection of the parent up to where it carries traffic; never rejects. */
async function serve(service: Service, conn: TcpConn, admission: Admission, guest: Guest | undefined): Promise<void> {
  const { name, config } = service
  config.rehearsals?.stop()
  adopt(conn)
  let request: SocksRequest
  try {
    request = await acceptSocks(conn, { handshakeTimeout: config.socksTimeout ?? SOCKS_TIMEOUT })
  } catch (error) {
    return config.reporter.log('info', `${name}: no SOCKS request: ${messageOf(error)}`)
  }
  guest?.leave()
  const report = config.reporter.forTransport(name, () => confidentialOf(request, config))
  const outgoing = trackOpened(config.connect)
  const start = performance.now()
  try {
    const bridge = await dial(conn, request, outgoing, { ...service, report })
    if (conn.destroyed) return void bridge.destroy()
    request.grant()
    admission.established()
    report.status([...addressOf(request, config), ['CONNECT', 'Success']])
    // Not awaited: what this function holds is not needed as long as the connection lives.
    carry(conn, bridge, config.halfOpen ?? false).catch((error: unknown) =>
      report.log('debug', `connection ended: ${messageOf(error)}`),
    )
  } catch (error) {
    const failure = hasHungUp(conn) ? givenUp(outgoing, performance.now() - start, config) : error
    request.refuse(error)
    if (failure === undefined) report.log('debug', 'the parent hung up before the connection was made')
    else reportFailure(failure, request, report, config)
  }
}

function hasHungUp(conn: TcpConn): boolean {
  return conn.destroyed || conn.readableEnded
}

/** A parent that waited for some seconds is told what for; undefined if it did not. */
function givenUp({ connected }: Opened, waited: number, { patience = PATIENCE }: ClientConfig): PtError | undefined {
  if (waited < patience) return undefined
  const seconds = Math.max(1, Math.round(waited / 1_000))
  const what = connected
    ? 'the bridge had not answered; most likely the cert, password or key in the bridge line is not of this bridge'
    : 'no connection to the bridge had been made'
  return new PtError('PT_TIMEOUT', `the parent gave up after ${seconds} s, and ${what}`, { stage: 'timeout' })
}

interface Dialling extends Service {
  readonly report: Report
}

async function dial(conn: TcpConn, request: SocksRequest, outgoing: Opened, dialling: Dialling): Promise<Duplex> {
  const { client, config, parked, report } = dialling
  const { target, args } = request
  const limit = config.dialTimeout ?? DIAL_TIMEOUT
  const handshake = new Handshake(conn, limit, 'the connection to the bridge', true)
  const given = { target, args, connect: outgoing.connect, ...report }
  const outlasting = client.outlastsParent === true ? parked.dial(limit, outgoing) : undefined
  try {
    const bridge = await handshake.until(() =>
      outlasting === undefined
        ? client.dial(handshake.session(given))
        : outlasting.run(given, (session) => client.dial(session)),
    )
    outlasting?.follow(handshake.cancellation)
    return bridge
  } catch (error) {
    if (hasHungUp(conn)) outlasting?.park()
    else outlasting?.end()
    if (outlasting === undefined) outgoing.destroyAll()
    throw error
  } finally {
    handshake.over()
  }
}

function reportFailure(error: unknown, request: SocksRequest, report: Report, config: ClientConfig): void {
  const stage = stageOf(error)
  report.status([
    ...addressOf(request, config),
    ['CONNECT', 'Failed'],
    ...(stage === undefined ? [] : [['STAGE', stage] as const]),
    ['ERRSTR', messageOf(error)],
  ])
  report.log('notice', `connection failed: ${explain(error)}`)
}

function addressOf({ target }: SocksRequest, { unsafeLogging = false }: ClientConfig): [string, string][] {
  return unsafeLogging ? [['ADDRESS', target]] : []
}

/** The bridge's host, which may be a name that no pattern finds, and every argument, of a URL the host and the path too. */
function confidentialOf({ target, args }: SocksRequest, { unsafeLogging = false }: ClientConfig): string[] {
  const known = secretsOf(target, args)
  const addresses = new Set(secretsOf(target, []))
  return unsafeLogging ? known.filter((one) => !addresses.has(one)) : known
}
