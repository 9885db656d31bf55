/**
 * One accepted connection, and how long it may stay.
 *
 *     accepted ── its first request within firstRequest ── requests and answers ── idle for too long: closed
 */
import type { Duplex } from 'node:stream'
import type { Exchange } from './exchange.ts'
import type { ServerLimits } from './server-limits.ts'

/** How long a connection that was ended here is read on, so that bytes that come late do not turn its end into a reset. In ms. */
const LINGER = 5_000

export class HttpConnection {
  readonly conn: Duplex
  /** Resolves when a first request has come, or something that is none and has been answered. */
  readonly arrived: Promise<void>
  readonly #limits: ServerLimits
  #timer: NodeJS.Timeout
  #underWay = 0
  #arrive: () => void = () => undefined

  constructor(conn: Duplex, limits: ServerLimits) {
    this.conn = conn
    this.#limits = limits
    this.arrived = new Promise((resolve) => (this.#arrive = resolve))
    this.#timer = setTimeout(() => conn.destroy(), limits.firstRequest)
    conn.once('close', () => clearTimeout(this.#timer)).once('finish', () => this.#closeAfter(LINGER))
  }

  /** True if a request is under way. */
  get isBusy(): boolean {
    return this.#underWay > 0
  }

  /** A request has come. Too many of them at once end the connection. */
  begin(exchange: Exchange): void {
    clearTimeout(this.#timer)
    this.#arrive()
    if (++this.#underWay > this.#limits.mostOfConnection) this.conn.destroy()
    exchange.whenClosed(() => {
      if (--this.#underWay === 0) this.#closeAfter(this.#limits.idle)
    })
  }

  /** Something came that is no request. */
  refused(): void {
    this.#arrive()
  }

  #closeAfter(ms: number): void {
    clearTimeout(this.#timer)
    if (this.conn.destroyed) return
    const time = this.conn.writableFinished ? LINGER : ms
    this.#timer = setTimeout(() => this.conn.destroy(), time)
  }
}
