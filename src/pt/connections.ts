/**
 * The open connections of a PT: counted, bounded, and ended together (STOP-3).
 *
 *     admit ── handshake ── established ── closed          drain: no more are admitted, those left are cut in the end
 *
 * A connection is known by the socket that was accepted: whoever serves it ends the other side when this one closes.
 */
import type { Duplex } from 'node:stream'
import type { EndWatcher } from '../io/index.ts'
import { watchEnds } from '../io/index.ts'

export interface ConnectionLimits {
  /** Connections that have not finished their handshake. Default 4096. */
  readonly maxHandshakes?: number
  /** All connections. Default 65536. */
  readonly maxConnections?: number
}

/** What is said of a connection that was not admitted. */
export const TOO_MANY = 'a connection was refused, as too many are open'

interface Admission {
  /** The handshake is over; the connection counts as one that carries traffic. */
  established(): void
}

interface ConnectionCount {
  readonly open: number
  readonly handshakes: number
  /** Since the start. */
  readonly admitted: number
  readonly established: number
  /** Closed before their handshake was over. */
  readonly failed: number
  readonly refused: number
}

export interface Connections {
  /** Takes the connection in until it closes; undefined, and the connection destroyed, where a limit is reached. */
  admit(conn: Duplex): Admission | undefined
  readonly count: ConnectionCount
  /** Resolves once all have closed; after `ms` milliseconds those that are left are cut. */
  drain(ms: number): Promise<void>
  /** Ends all at once. */
  cut(): void
}

export function createConnections(limits: ConnectionLimits = {}): Connections {
  return new OpenConnections(limits)
}

class OpenConnections implements Connections {
  readonly #limits: Required<ConnectionLimits>
  readonly #open = new Set<Duplex>()
  readonly #total = { admitted: 0, established: 0, failed: 0, refused: 0 }
  #handshakes = 0
  #draining = false
  #whenEmpty: (() => void) | undefined

  constructor({ maxHandshakes = 4_096, maxConnections = 65_536 }: ConnectionLimits) {
    this.#limits = { maxHandshakes, maxConnections }
  }

  admit(conn: Duplex): Admission | undefined {
    const { maxHandshakes, maxConnections } = this.#limits
    if (this.#draining || this.#handshakes >= maxHandshakes || this.#open.size >= maxConnections) {
      this.#total.refused++
      conn.destroy()
      return undefined
    }
    this.#handshakes++
    this.#total.admitted++
    this.#open.add(conn)
    const admitted = new Admitted(this, conn)
    watchEnds(conn, admitted)
    return admitted
  }

  leaveHandshake(outcome: 'established' | 'failed'): void {
    this.#handshakes--
    this.#total[outcome]++
  }

  closed(conn: Duplex): void {
    this.#open.delete(conn)
    if (this.#open.size === 0) this.#whenEmpty?.()
  }

  cut(): void {
    for (const conn of this.#open) conn.destroy()
  }

  async drain(ms: number): Promise<void> {
    this.#draining = true
    if (this.#open.size === 0) return
    const timer = setTimeout(() => this.cut(), ms)
    await new Promise<void>((resolve) => (this.#whenEmpty = resolve))
    clearTimeout(timer)
  }

  get count(): ConnectionCount {
    return { open: this.#open.size, handshakes: this.#handshakes, ...this.#total }
  }
}

class Admitted implements Admission, EndWatcher {
  readonly #connections: OpenConnections
  readonly #conn: Duplex
  #inHandshake = true

  constructor(connections: OpenConnections, conn: Duplex) {
    this.#connections = connections
    this.#conn = conn
  }

  established(): void {
    this.#leaveHandshake('established')
  }

  onClose(): void {
    this.#leaveHandshake('failed')
    this.#connections.closed(this.#conn)
  }

  #leaveHandshake(outcome: 'established' | 'failed'): void {
    if (this.#inHandshake) this.#connections.leaveHandshake(outcome)
    this.#inHandshake = false
  }
}
