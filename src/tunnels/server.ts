/**
 * A bridge in front of a service: each connection of a transport's server is taken to where it belongs.
 *
 *     clients ══ transport ── this process ── 127.0.0.1:22, or wherever a SOCKS client asks for
 */
import { setMaxListeners } from 'node:events'
import { isPtError, PtError } from '../error.ts'
import { stageOf } from '../failure.ts'
import type { Address, ArgsInit } from '../ipc/index.ts'
import { formatAddress, parseAddress } from '../ipc/index.ts'
import { checkOptions } from '../options.ts'
import type { PtEvent } from '../parent/index.ts'
import { watchOwnNetworks } from '../addresses/own-networks.ts'
import type { TransportSource } from '../bridges/dialer.ts'
import { TunnelConnections } from './tunnel-connections.ts'
import type { Forward, WatchOwn } from './forward.ts'
import { openForward } from './forward.ts'
import { tunnelServerChecks } from './option-checks.ts'
import type { ServerEnd, ServerStream } from './server-end.ts'
import { openServerEnd } from './server-end.ts'
import { Tunnel } from './tunnel.ts'

/** The options of startTunnelServer. */
export interface TunnelServerOptions {
  /** The program of a PT, or the program and its arguments. Without it the transport runs in this process. */
  readonly exec?: string | readonly string[] | undefined
  /** The transports for use in this process. */
  readonly transports?: readonly TransportSource[] | undefined
  /** The name of the transport. */
  readonly transport: string
  /** `<ip>:<port>` where clients connect to; port 0 is one of the system's choice, kept through restarts. */
  readonly listen: Address | string
  /** Options of the transport, such as `{ 'iat-mode': '1' }`. */
  readonly options?: ArgsInit | undefined
  /** An absolute path; the bridge's identity is kept there. */
  readonly stateDir: string
  readonly forward: Forward
  /** The end of one direction leaves the other open. The program of `exec` has to allow it as well (`postern pt --half-open`). */
  readonly halfOpen?: boolean | undefined
  /** Where clients reach this machine, `<host>` or `<host>:<port>`: a forward of socks does not lead there. */
  readonly publicAddress?: string | undefined
  /** Connections at once; the next ones wait to be accepted. Default 1024. With `exec` it is the PT that accepts, and has a limit. */
  readonly maxConnections?: number | undefined
  /** Milliseconds after which a connection that carries no byte is ended. Default 0: never. */
  readonly idleTimeout?: number | undefined
  /** Milliseconds that connections have to end in when the tunnel is closed. Default 5,000. */
  readonly drainTimeout?: number | undefined
  /** What the PT says and does, or what the transport logs in this process; unchecked and with addresses. */
  readonly onPtEvent?: ((event: PtEvent) => void) | undefined
  /** Closes the tunnel when it aborts. */
  readonly signal?: AbortSignal | undefined
}

/** Starts the transport. Rejects as launchServer does, or with what the transport throws; nothing is left then. */
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
  readonly #listen: Address
  readonly #stopping = new AbortController()
  readonly #own: WatchOwn
  #end: ServerEnd | undefined

  constructor(options: TunnelServerOptions) {
    super(new TunnelConnections(options.maxConnections ?? 1_024, options.idleTimeout), options.signal)
    const { listen, publicAddress } = options
    this.#options = options
    this.#listen = typeof listen === 'string' ? parseAddress(listen) : listen
    this.#own = watchOwnNetworks([formatAddress(this.#listen), ...(publicAddress === undefined ? [] : [publicAddress])])
    // Each connection that is being made listens, so there may be many.
    setMaxListeners(0, this.#stopping.signal)
  }

  /** Called once, by startTunnelServer. */
  async start(): Promise<void> {
    const { onPtEvent, maxConnections = 1_024 } = this.#options
    this.#end = await openServerEnd(
      { ...this.#options, listen: this.#listen, maxConnections },
      {
        stopping: this.#stopping.signal,
        onStream: (stream) => this.#serve(stream),
        onEvent: (event) => {
          this.#watch(event)
          onPtEvent?.(event)
        },
      },
    )
    // The tunnel was closed while the transport started.
    if (this.#stopping.signal.aborted) await this.#end.stop()
  }

  /** The line to hand out; see BridgeServer. */
  bridgeLine(host?: string): string {
    return this.#end!.bridgeLine(host)
  }

  /** In order: the port is closed, connections and handshakes have their time, the rest is cut. */
  protected override async end(released: () => void): Promise<void> {
    const { drainTimeout = 5_000 } = this.#options
    const start = performance.now()
    this.connections.ending()
    await this.#end?.drain(drainTimeout, released)
    await this.connections.drain(Math.max(0, drainTimeout - (performance.now() - start)))
    this.#stopping.abort(new PtError('PT_STOPPED', 'the tunnel has been closed'))
    await this.#end?.stop()
  }

  #watch(event: PtEvent): void {
    if (event.type === 'ready') this.isReady()
    else if (event.type === 'restarting') this.restarting(event.error)
    else if (event.type === 'gaveUp') void this.shut(event.error)
  }

  /** Serves one stream; never rejects. */
  async #serve(served: ServerStream): Promise<void> {
    const { stream, conn } = served
    if (!this.connections.admit(conn)) return
    try {
      if (!(await this.connections.turn(conn))) return
      const far = await openForward(stream, this.#options.forward, this.#own, served)
      if (conn.destroyed) return void far.destroy()
      this.connections.carries(conn, far)
      this.emit('connection')
      // A connection that breaks off is a matter of its client or its service. It is not awaited, so that this function is over.
      served.carryTo(far).catch(() => undefined)
    } catch (error) {
      if (!this.#stopping.signal.aborted && !conn.destroyed) this.failed(unreached(error))
      if (this.#options.forward.type === 'address') served.cutOff()
    }
  }
}

function unreached(error: unknown): PtError {
  if (isPtError(error, 'PT_DENIED', 'PT_SOCKS', 'PT_TIMEOUT', 'PT_CLOSED')) return error
  const stage = stageOf(error) ?? 'connect'
  return new PtError('PT_CONNECT', 'the destination of a connection cannot be reached', { cause: error, stage })
}
