/**
 * A bridge in front of a service: a PT server, and each of its connections taken to where it belongs.
 *
 *     clients ══ transport ══ PT server ── this process ── 127.0.0.1:22, or wherever a SOCKS client asks for
 */
import { setMaxListeners } from 'node:events'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../error.ts'
import { stageOf } from '../failure.ts'
import { delay } from '../io/wait/deadline.ts'
import { closeWithReset } from '../io/tcp/close.ts'
import { listen } from '../io/tcp/listen.ts'
import { relay } from '../io/carry/relay.ts'
import type { Address, ArgsInit } from '../ipc/index.ts'
import { formatAddress, parseAddress } from '../ipc/index.ts'
import { checkOptions } from '../options.ts'
import type { PtEvent } from '../parent/index.ts'
import type { BridgeServer } from '../bridges/server.ts'
import { createBridgeServer } from '../bridges/server.ts'
import { Connections } from './connections.ts'
import type { Forward, WatchOwn } from './forward.ts'
import { openForward } from './forward.ts'
import { watchOwnNetworks } from '../addresses/own-networks.ts'
import { tunnelRestart } from '../bridges/pt-process.ts'
import { tunnelServerChecks } from './option-checks.ts'
import { Tunnel } from './tunnel.ts'

/** The options of startTunnelServer. */
export interface TunnelServerOptions {
  readonly exec: string | readonly string[]
  readonly transport: string
  /** `<ip>:<port>` where clients connect to; port 0 is one of the system's choice, kept through restarts. */
  readonly listen: Address | string
  /** Options of the transport, such as `{ 'iat-mode': '1' }`. */
  readonly options?: ArgsInit | undefined
  /** An absolute path; the bridge's identity is kept there. */
  readonly stateDir: string
  readonly forward: Forward
  /** The end of one direction leaves the other open; the PT has to allow it as well (`postern pt --half-open`). */
  readonly halfOpen?: boolean | undefined
  /** Where clients reach this machine, `<host>` or `<host>:<port>`, for a forward of socks not to lead there. */
  readonly publicAddress?: string | undefined
  /** Connections at once; those beyond are closed. Default 1024. */
  readonly maxConnections?: number | undefined
  /** Milliseconds after which a connection that carries no byte is ended. Default 0: never. */
  readonly idleTimeout?: number | undefined
  /** Milliseconds that connections have to end in when the tunnel is closed. Default 5,000. */
  readonly drainTimeout?: number | undefined
  /** What the PT says and does, unchecked and with addresses. */
  readonly onPtEvent?: ((event: PtEvent) => void) | undefined
  /** Closes the tunnel when it aborts. */
  readonly signal?: AbortSignal | undefined
}

/** How often a port that is being closed is tried, in ms. */
const LOOK_AGAIN = 10

/**
 * How long obfs4proxy or lyrebird may take to close its port before it is asked again, in ms. They wait for signals at a Go channel
 * without a buffer, and a signal that comes while they count a connection is lost. Once they have closed the port, another SIGINT
 * would end them at once, so it is sent only if the port is still taken.
 */
const ASK_AGAIN = 1_000

/** Launches the PT server. Rejects as launchServer does; nothing is left then. */
export async function startTunnelServer(options: TunnelServerOptions): Promise<TunnelServer> {
  checkOptions('startTunnelServer', options, tunnelServerChecks)
  options.signal?.throwIfAborted()
  const tunnel = new TunnelServer(options)
  try {
    await tunnel.start()
    options.signal?.throwIfAborted()
    return tunnel
  } catch (error) {
    await tunnel.close()
    throw error
  }
}

/** The server end of a tunnel: a bridge in front of a service. */
export class TunnelServer extends Tunnel {
  readonly #options: TunnelServerOptions
  readonly #stopping = new AbortController()
  readonly #own: WatchOwn
  readonly #listen: Address
  #server: BridgeServer | undefined
  /** The name of the PT's program if it is one that closes its port and lets connections go on when it is asked to. */
  #drainer: string | undefined

  constructor(options: TunnelServerOptions) {
    super(new Connections(options.maxConnections ?? 1024, options.idleTimeout), options.signal)
    this.#options = options
    const { listen, publicAddress } = options
    this.#listen = typeof listen === 'string' ? parseAddress(listen) : listen
    this.#own = watchOwnNetworks([formatAddress(this.#listen), ...(publicAddress === undefined ? [] : [publicAddress])])
    // Each connection that is being made listens, so there may be many.
    setMaxListeners(0, this.#stopping.signal)
  }

  /** Called once, by startTunnelServer. */
  async start(): Promise<void> {
    const { exec, stateDir, transport, options, onPtEvent } = this.#options
    this.#server = await createBridgeServer(
      {
        exec,
        stateDir,
        restart: tunnelRestart,
        transports: [{ name: transport, bindAddress: this.#listen, ...(options === undefined ? {} : { options }) }],
        onEvent: (event) => {
          this.#watch(event)
          onPtEvent?.(event)
        },
      },
      (conn) => void this.#serve(conn),
    )
    // Closed while it started.
    if (this.#stopping.signal.aborted) await this.#server.stop()
  }

  /** The line to hand out; see BridgeServer. */
  bridgeLine(host?: string): string {
    return this.#server!.bridgeLines(host)[0]!
  }

  /** In order: the port is closed, connections and handshakes have their time, the rest is cut. */
  protected override async end(released: () => void): Promise<void> {
    const { drainTimeout = 5_000 } = this.#options
    const start = performance.now()
    this.connections.ending()
    if (this.#drainer !== undefined && this.#server !== undefined) {
      const drained = this.#server.drain(drainTimeout)
      if (await this.#closesPort(this.#server, drainTimeout)) released()
      await drained
    }
    await this.connections.drain(Math.max(0, drainTimeout - (performance.now() - start)))
    this.#stopping.abort(new PtError('PT_STOPPED', 'the tunnel has been closed'))
    await this.#server?.stop()
  }

  /** True once another program could listen on the port of the PT, which has been asked to close it; false after `ms` milliseconds. */
  async #closesPort(server: BridgeServer, ms: number): Promise<boolean> {
    const address = server.methods.values().next().value?.address ?? this.#listen
    const start = performance.now()
    let asked = start
    while (!(await canListen(address))) {
      const now = performance.now()
      if (now - start >= ms) return false
      if (this.#drainer !== 'postern' && now - asked >= ASK_AGAIN) {
        void server.drain(0)
        asked = now
      }
      await delay(LOOK_AGAIN)
    }
    return true
  }

  #watch(event: PtEvent): void {
    this.#drainer ??= drainerOf(event)
    if (event.type === 'ready') this.isReady()
    else if (event.type === 'restarting') this.restarting(event.error)
    else if (event.type === 'gaveUp') void this.shut(event.error)
  }

  /** Serves one connection; never rejects. */
  async #serve(conn: Duplex): Promise<void> {
    if (!this.connections.admit(conn)) return
    try {
      const far = await openForward(conn, this.#options.forward, this.#own, this.#stopping.signal)
      if (conn.destroyed) return void far.destroy()
      this.connections.carries(conn)
      this.emit('connection')
      // A connection that breaks off is its client's or its service's to explain.
      await relay(conn, far, { halfOpen: this.#options.halfOpen }).catch(() => undefined)
    } catch (error) {
      if (!this.#stopping.signal.aborted && !conn.destroyed) this.failed(unreached(error))
      // It ends with a reset: an end would look as if the service had nothing to say.
      if (this.#options.forward.type === 'address') closeWithReset(conn)
    }
  }
}

/** Programs that are known to take SIGINT so; others end by it. */
const drainers: ReadonlySet<string> = new Set(['postern', 'lyrebird'])

/** The name of a program that takes SIGINT so. A PT says who it is (STATUS TYPE=version), but for obfs4proxy. */
function drainerOf(event: PtEvent): string | undefined {
  if (event.type === 'launching') return /(?:^|[\\/])(obfs4proxy)(?:\.exe)?$/.exec(event.program)?.[1]
  if (event.type !== 'status' || event.args.get('TYPE') !== 'version') return undefined
  const name = event.args.get('IMPLEMENTATION') ?? ''
  return drainers.has(name) ? name : undefined
}

async function canListen({ host, port }: Address): Promise<boolean> {
  const server = createServer()
  try {
    await listen(server, host, port)
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}

function unreached(error: unknown): PtError {
  if (isPtError(error, 'PT_DENIED', 'PT_SOCKS', 'PT_TIMEOUT', 'PT_CLOSED')) return error
  const stage = stageOf(error) ?? 'connect'
  return new PtError('PT_CONNECT', 'the destination of a connection cannot be reached', { cause: error, stage })
}
