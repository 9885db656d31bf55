/**
 * A port on this machine that leads through a bridge to what is behind it.
 *
 *     application ── 127.0.0.1:9000 ── bridge ══ transport ══ far end
 *     application ── SOCKS ── 127.0.0.1:1080 ── bridge ══ transport ══ SOCKS server      with socks
 *
 * If a PT carries the connections, the port stays open whatever happens to the PT: connections wait for it, each for no longer than
 * the time of the bridge. If the transport runs in this process, there is nothing to wait for.
 */
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../error.ts'
import { carry } from '../io/carry/carry.ts'
import type { TcpConn } from '../io/tcp/channel.ts'
import { closeWithReset } from '../io/tcp/close.ts'
import { listen } from '../io/tcp/listen.ts'
import { listenerOptions } from '../io/tcp/tcp.ts'
import type { Address } from '../ipc/index.ts'
import { isLoopback, parseAddress } from '../ipc/index.ts'
import { checkOptions } from '../options.ts'
import type { SocksRequest } from '../socks/index.ts'
import { acceptSocks, connectSocks } from '../socks/index.ts'
import type { Bridge } from '../bridges/bridge.ts'
import { ownPorts } from '../bridges/own-ports.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'
import { prepare } from '../sessions/prepare.ts'
import type { Admission } from '../sessions/connections.ts'
import { TunnelConnections } from './tunnel-connections.ts'
import { tunnelClientChecks } from './option-checks.ts'
import { Tunnel } from './tunnel.ts'

/** The options of startTunnelClient. */
export interface TunnelClientOptions {
  /** Closed with the tunnel. */
  readonly bridge: Bridge
  /** `<ip>:<port>`; port 0 is one of the system's choice. */
  readonly listen: Address | string
  /** The port speaks SOCKS 4, 4a and 5, and what is behind the bridge is a SOCKS server that is asked for the target. */
  readonly socks?: boolean | undefined
  /**
   * Applications need it to use the port, which speaks SOCKS 5: the secret is the password, under any user name. Without `socks` the
   * target that an application asks for does not count.
   */
  readonly secret?: string | undefined
  /** The end of one direction leaves the other open; the bridge and its server have to allow it as well. */
  readonly halfOpen?: boolean | undefined
  /** Lets `listen` be other than loopback. */
  readonly exposed?: boolean | undefined
  /** Connections at once; the next ones wait to be accepted. Default 1024. */
  readonly maxConnections?: number | undefined
  /** Milliseconds that connections have to end in when the tunnel is closed. Default 5,000. */
  readonly drainTimeout?: number | undefined
  /** Closes the tunnel when it aborts. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Starts to listen. Rejects with PT_ADDRESS, or the system's error (EADDRINUSE, …); the bridge is closed then.
 */
export async function startTunnelClient(options: TunnelClientOptions): Promise<TunnelClient> {
  checkOptions('startTunnelClient', options, tunnelClientChecks)
  const tunnel = new TunnelClient(options)
  try {
    options.signal?.throwIfAborted()
    await tunnel.listen(options.listen, options.exposed ?? false)
    return tunnel
  } catch (error) {
    await tunnel.close()
    throw error
  }
}

/** The client end of a tunnel: a port of this machine that leads through a bridge. */
export class TunnelClient extends Tunnel {
  readonly #options: TunnelClientOptions
  readonly #server: Server
  #address: Address | undefined

  constructor(options: TunnelClientOptions) {
    super(new TunnelConnections(options.maxConnections ?? 1024), options.signal)
    this.#options = options
    this.#server = createServer(listenerOptions)
    options.bridge
      .on('ready', () => this.isReady())
      .on('restart', (error) => this.restarting(error))
      .on('failure', (error, line) => this.failed(error, line))
      .on('recovery', (line) => this.emit('recovery', line))
      .on('closed', (error) => void this.shut(error))
  }

  /** Where it listens. */
  get address(): Address {
    return this.#address!
  }

  /** The bridges that `failure` and `recovery` speak of. */
  get bridges(): readonly BridgeLine[] {
    return this.#options.bridge.lines
  }

  /** Called once, by startTunnelClient. */
  async listen(where: Address | string, exposed: boolean): Promise<void> {
    const { host, port } = typeof where === 'string' ? parseAddress(where) : where
    requireLoopback(host, exposed)
    this.#address = await listen(this.#server, host, port)
    const { maxConnections = 1_024 } = this.#options
    const entrance = { name: 'the client of a tunnel', local: false, maxConnections }
    ownPorts().accept(this.#server, entrance, (conn, admission) => void this.#serve(conn, admission))
  }

  protected override async end(released: () => void): Promise<void> {
    this.#server.close()
    released()
    await this.connections.drain(this.#options.drainTimeout ?? 5_000)
    await this.#options.bridge.close()
  }

  /** Serves one connection; never rejects. */
  async #serve(local: TcpConn, admission: Admission): Promise<void> {
    prepare(local)
    if (!this.connections.admit(local)) return
    using gone = hangUp(local)
    let request: SocksRequest | undefined
    try {
      if (!(await this.connections.turn(local))) return
      request = await this.#accept(local, gone.signal)
      const far = await this.#dial(request, gone.signal)
      if (local.destroyed) return void far.destroy()
      request?.grant()
      admission.established()
      this.connections.carries(local)
      this.emit('connection')
      // Not awaited, so that this function is over: connections may live long.
      void this.#carry(local, far)
    } catch (error) {
      request?.refuse(error, farReplyOf(error))
      // A reset and no end: what has come so far is not all there is.
      if (request === undefined) closeWithReset(local)
    }
  }

  async #accept(local: TcpConn, signal: AbortSignal): Promise<SocksRequest | undefined> {
    const { socks, secret } = this.#options
    if (socks !== true && secret === undefined) return undefined
    try {
      return await acceptSocks(local, { prefer: 'none', applications: true, password: secret, signal })
    } catch (error) {
      // An application that hangs up knows it; its user has to learn of every other mistake.
      if (isPtError(error) && error.code !== 'PT_CLOSED') this.failed(error)
      throw error
    }
  }

  async #dial(request: SocksRequest | undefined, signal: AbortSignal): Promise<Duplex> {
    // The bridge tells of its own failures.
    const far = await this.#options.bridge.connect({ signal })
    if (request === undefined || this.#options.socks !== true) return far
    try {
      await connectSocks(far, { version: 5, target: request.target }, signal)
      return far
    } catch (error) {
      // The application is told what the far end refuses, in the words of the far end.
      if (isPtError(error, 'PT_SOCKS_REFUSED')) throw new FarRefusal(error)
      if (!signal.aborted) this.failed(lost(error))
      throw error
    }
  }

  /** Carries bytes until both sides have ended; never rejects. */
  async #carry(local: TcpConn, far: Duplex): Promise<void> {
    const { halfOpen, bridge } = this.#options
    const ofPt = {
      beforeEnd: async (ended: Duplex) => {
        if (ended === far) await bridge.requireAlive(far)
      },
    }
    await carry(local, far, {
      halfOpen,
      ...(bridge.inProcess ? { wire: far } : ofPt),
      onLost: (side, error) => {
        // If the application left first, it did not wait for what was lost.
        if (side !== far) return
        // With a reset and not with an end: a half download must not look whole.
        closeWithReset(local)
        this.failed(lost(error))
      },
    }).catch(() => undefined)
    // A stream that was taken apart does not notice that its connection has closed.
    far.destroy()
  }
}

/** The SOCKS server at the far end refused the target. */
class FarRefusal extends Error {
  readonly reply: number | undefined

  constructor(cause: PtError) {
    super(cause.message, { cause })
    this.reply = cause.reply
  }
}

function farReplyOf(error: unknown): number | undefined {
  return error instanceof FarRefusal ? error.reply : undefined
}

function requireLoopback(host: string, exposed: boolean): void {
  if (isLoopback(host) || exposed) return
  const what = 'the port would be open to other machines, and what they send to it is not encrypted'
  throw new PtError('PT_ADDRESS', `listen: ${what}; listen on 127.0.0.1 or [::1], or say that it may be exposed`)
}

function lost(cause: unknown): PtError {
  if (isPtError(cause, 'PT_EXITED')) return cause
  return new PtError('PT_CLOSED', 'a connection through the bridge was lost before its end', { cause, stage: 'closed' })
}

/** A signal that aborts when the application is not there any more. */
function hangUp(local: Duplex): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  const abort = (): void => controller.abort(new PtError('PT_CLOSED', 'the application hung up'))
  local.once('close', abort)
  return { signal: controller.signal, [Symbol.dispose]: () => void local.off('close', abort) }
}
