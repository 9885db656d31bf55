/** What both ends of a tunnel have in common, for those who watch them. */
import type { PtError } from '../error.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'
import type { TunnelConnections, TunnelStats } from './tunnel-connections.ts'
import { Emitter } from '../bridges/emitter.ts'

/** What a listener throws is an uncaught exception of the process; the tunnel goes on, and the other listeners are told. */
export interface TunnelEvents {
  /** Connections can be made; again after each restart of the PT. */
  ready: []
  /** One was made and carries bytes. */
  connection: []
  /** One of a client could not be made, or was lost; `error.stage` says where. `line` is the bridge that failed it. */
  failure: [error: PtError, line?: BridgeLine]
  /** Of several bridges one that had failed answers again. */
  recovery: [line: BridgeLine]
  /** The PT has ended and is started again; new connections wait. */
  restart: [error: PtError]
  /** Everything has ended. The error is that of a PT that cannot be kept running. */
  closed: [error?: PtError]
}

/** A tunnel that runs: its address, its counts and its end. */
export abstract class Tunnel extends Emitter<TunnelEvents> implements AsyncDisposable {
  protected readonly connections: TunnelConnections
  #closed: Promise<void> | undefined
  #release!: () => void

  /** Resolves once the tunnel is being closed and another one may take its port and its state; its connections may go on. */
  readonly released: Promise<void> = new Promise((resolve) => (this.#release = resolve))

  constructor(connections: TunnelConnections, signal?: AbortSignal) {
    super()
    this.connections = connections
    const abort = (): void => void this.close()
    signal?.addEventListener('abort', abort, { once: true })
    this.once('closed', () => signal?.removeEventListener('abort', abort))
  }

  get stats(): TunnelStats {
    return this.connections.stats
  }

  /** Takes no more connections, waits for those there are, cuts what is left, and ends the PT. Bounded; any call gives the same. */
  close(): Promise<void> {
    return this.shut()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  protected shut(reason?: PtError): Promise<void> {
    this.#closed ??= this.#end(reason)
    return this.#closed
  }

  async #end(reason: PtError | undefined): Promise<void> {
    await this.end(this.#release)
    this.#release()
    if (reason === undefined) this.emit('closed')
    else this.emit('closed', reason)
  }

  /** Calls `released` as soon as nothing is listened on any more, if that is before the end. */
  protected abstract end(released: () => void): Promise<void>

  protected failed(error: PtError, line?: BridgeLine): void {
    this.connections.failed(error)
    if (line === undefined) this.emit('failure', error)
    else this.emit('failure', error, line)
  }

  protected restarting(error: PtError): void {
    this.connections.restarting()
    this.emit('restart', error)
  }

  protected isReady(): void {
    this.connections.ready()
    this.emit('ready')
  }
}
