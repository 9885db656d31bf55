/**
 * The open connections of a PT, or of a server in an application: they are counted, and ended together (STOP-3).
 *
 *     admit ── handshake ── established ── closed          drain: those that are left are cut in the end
 *
 * A connection is known by the socket that was accepted, or by the stream that a transport delivered. The code that serves it
 * ends the other side when this one closes. ports.ts limits the number of connections, by accepting no more of them: what has
 * been accepted is always admitted.
 */
import type { Duplex } from 'node:stream'
import type { EndWatcher } from '../io/ends.ts'
import { watchEnds } from '../io/ends.ts'

export interface Admission {
  /** The handshake is over; the connection counts as one that carries traffic. */
  established(): void
}

/** The place where connections come in. It is told as they come and go. */
export interface Entrance {
  /** A connection is in its handshake. */
  began(): void
  /** Its handshake is over, or it has closed in it. */
  over(): void
  /** A connection has closed. */
  closed(): void
}

interface ConnectionCount {
  readonly open: number
  readonly handshakes: number
  /** All since the start. */
  readonly admitted: number
  readonly established: number
  /** They were closed before their handshake was over. */
  readonly failed: number
  /** They were established, and the ORPort or another service did not take them. */
  readonly unserved: number
}

export interface Connections {
  /** Takes the connection in until it closes. */
  admit(conn: Duplex, entrance?: Entrance): Admission
  /** A service did not take a connection whose handshake was over. */
  unserved(): void
  readonly count: ConnectionCount
  /** Resolves when all have closed. Those that are left after `ms` milliseconds are cut. A second call may shorten the time. */
  drain(ms: number): Promise<void>
  /** Ends all at once. */
  cut(): void
}

/** How long handshakes alone keep a PT running that is to end, and how often that is looked at, in ms. */
const HANDSHAKE_PATIENCE = 10_000
const LOOK = 1_000

export function createConnections(): Connections {
  return new OpenConnections()
}

class OpenConnections implements Connections {
  readonly #open = new Set<Duplex>()
  readonly #total = { admitted: 0, established: 0, failed: 0, unserved: 0 }
  #handshakes = 0
  #whenEmpty: (() => void)[] = []

  admit(conn: Duplex, entrance?: Entrance): Admission {
    this.#handshakes++
    this.#total.admitted++
    this.#open.add(conn)
    const admitted = new Admitted(this, conn, entrance)
    watchEnds(conn, admitted)
    return admitted
  }

  unserved(): void {
    this.#total.unserved++
  }

  leaveHandshake(outcome: 'established' | 'failed'): void {
    this.#handshakes--
    this.#total[outcome]++
  }

  closed(conn: Duplex): void {
    this.#open.delete(conn)
    if (this.#open.size > 0) return
    for (const empty of this.#whenEmpty.splice(0)) empty()
  }

  cut(): void {
    for (const conn of this.#open) conn.destroy()
  }

  async drain(ms: number): Promise<void> {
    if (this.#open.size === 0) return
    const timer = setTimeout(() => this.cut(), ms)
    let quiet = 0
    const look = setInterval(() => {
      quiet = this.#open.size === this.#handshakes ? quiet + LOOK : 0
      if (quiet >= HANDSHAKE_PATIENCE) this.cut()
    }, LOOK)
    await new Promise<void>((resolve) => this.#whenEmpty.push(resolve))
    clearTimeout(timer)
    clearInterval(look)
  }

  get count(): ConnectionCount {
    return { open: this.#open.size, handshakes: this.#handshakes, ...this.#total }
  }
}

class Admitted implements Admission, EndWatcher {
  readonly #connections: OpenConnections
  readonly #conn: Duplex
  readonly #entrance: Entrance | undefined
  #inHandshake = true

  constructor(connections: OpenConnections, conn: Duplex, entrance: Entrance | undefined) {
    this.#connections = connections
    this.#conn = conn
    this.#entrance = entrance
    entrance?.began()
  }

  established(): void {
    this.#leaveHandshake('established')
  }

  onClose(): void {
    this.#leaveHandshake('failed')
    this.#connections.closed(this.#conn)
    this.#entrance?.closed()
  }

  #leaveHandshake(outcome: 'established' | 'failed'): void {
    if (!this.#inHandshake) return
    this.#inHandshake = false
    this.#connections.leaveHandshake(outcome)
    this.#entrance?.over()
  }
}
