/**
 * What a tunnel knows of itself: its connections, bounded in number and ended together, and the counts that people and
 * programs are shown. There is no address in any of it.
 */
import type { Duplex } from 'node:stream'
import type { PtError } from '../error.ts'

/** The state of a tunnel. */
export type TunnelState = 'ready' | 'restarting' | 'draining' | 'closed'

/** The counts of a tunnel. */
export interface TunnelStats {
  readonly state: TunnelState
  /** Connections that carry bytes now, those that are being made, and all that were ever taken. */
  readonly open: number
  readonly waiting: number
  readonly total: number
  /** Not taken, as there were too many. */
  readonly refused: number
  /** From the tunnel's client to its far end, and back. */
  readonly bytesUp: number
  readonly bytesDown: number
  /** Failed connections by the stage of their failure; `unknown` where that is not known. */
  readonly failures: Readonly<Record<string, number>>
  readonly restarts: number
  readonly lastFailure: { readonly at: Date; readonly stage: string; readonly message: string } | undefined
}

/** What sockets count by themselves; a stream that does not is carried all the same, and moves no bytes here. */
interface Counting {
  readonly bytesRead?: number
  readonly bytesWritten?: number
}

interface Moved {
  readonly read: number
  readonly written: number
}

interface Carried {
  readonly conn: Duplex & Counting
  /** What was read and written before, as the handshake of SOCKS. */
  readonly before: Moved
  /** As it was last seen, and since when, for those that carry nothing. */
  seen: Moved
  since: number
}

/** How often within its time-out a connection is looked at. */
const IDLE_CHECKS = 4

export class Connections {
  readonly #max: number
  readonly #taken = new Set<Duplex>()
  readonly #carried = new Map<Duplex, Carried>()
  readonly #failures = new Map<string, number>()
  #state: TunnelState = 'ready'
  #refusing = false
  #total = 0
  #refused = 0
  #restarts = 0
  #up = 0
  #down = 0
  #lastFailure: TunnelStats['lastFailure']
  #whenEmpty: (() => void) | undefined
  #idleCheck: NodeJS.Timeout | undefined

  /** With `idleTimeout`, connections on which no byte has moved for so many milliseconds end. */
  constructor(max: number, idleTimeout = 0) {
    this.#max = max
    if (idleTimeout === 0) return
    this.#idleCheck = setInterval(() => this.#endIdle(idleTimeout), Math.ceil(idleTimeout / IDLE_CHECKS)).unref()
  }

  /** True if there are as many as there may be. */
  get full(): boolean {
    return this.#taken.size >= this.#max
  }

  /**
   * Counts `conn` in until it closes. Destroys it, and is false, if the tunnel takes no more, or if there are too many: unless
   * it is `queued`, which says that the port stops accepting by itself.
   */
  admit(conn: Duplex, queued = false): boolean {
    if (this.#refusing || (this.full && !queued)) {
      this.#refused++
      conn.destroy()
      return false
    }
    this.#total++
    this.#taken.add(conn)
    conn.once('close', () => {
      this.#settle(conn)
      this.#taken.delete(conn)
      if (this.#taken.size === 0) this.#whenEmpty?.()
    })
    return true
  }

  /** `conn`, which has been admitted, carries bytes from now on: what is read of it goes up. */
  carries(conn: Duplex): void {
    if (conn.destroyed) return
    const { read, written } = movedBy(conn)
    // What came ahead of its turn is payload already.
    const before = { read: read - conn.readableLength, written }
    this.#carried.set(conn, { conn, before, seen: { read, written }, since: performance.now() })
  }

  failed(error: PtError): void {
    const stage = error.stage ?? 'unknown'
    this.#failures.set(stage, (this.#failures.get(stage) ?? 0) + 1)
    this.#lastFailure = { at: new Date(), stage, message: error.message }
  }

  restarting(): void {
    this.#restarts++
    if (this.#state === 'ready') this.#state = 'restarting'
  }

  ready(): void {
    if (this.#state === 'restarting') this.#state = 'ready'
  }

  /** The tunnel is about to end. Connections that come now are of handshakes that were accepted before, and are taken. */
  ending(): void {
    this.#state = 'draining'
  }

  /** Takes no more, and resolves once all have closed; those left after `ms` milliseconds are cut. */
  async drain(ms: number): Promise<void> {
    this.#state = 'draining'
    this.#refusing = true
    if (this.#taken.size > 0) {
      const timer = setTimeout(() => this.#cut(), ms)
      await new Promise<void>((resolve) => (this.#whenEmpty = resolve))
      clearTimeout(timer)
    }
    this.#state = 'closed'
    clearInterval(this.#idleCheck)
  }

  get stats(): TunnelStats {
    let [bytesUp, bytesDown] = [this.#up, this.#down]
    for (const carried of this.#carried.values()) {
      const { read, written } = bytesOf(carried)
      bytesUp += read
      bytesDown += written
    }
    return {
      state: this.#state,
      open: this.#carried.size,
      waiting: this.#taken.size - this.#carried.size,
      total: this.#total,
      refused: this.#refused,
      bytesUp,
      bytesDown,
      failures: Object.fromEntries(this.#failures),
      restarts: this.#restarts,
      lastFailure: this.#lastFailure,
    }
  }

  #cut(): void {
    for (const conn of this.#taken) conn.destroy()
  }

  #settle(conn: Duplex): void {
    const carried = this.#carried.get(conn)
    if (carried === undefined) return
    const { read, written } = bytesOf(carried)
    this.#up += read
    this.#down += written
    this.#carried.delete(conn)
  }

  #endIdle(idleTimeout: number): void {
    const now = performance.now()
    for (const carried of this.#carried.values()) {
      const moved = movedBy(carried.conn)
      if (moved.read !== carried.seen.read || moved.written !== carried.seen.written) {
        carried.seen = moved
        carried.since = now
      } else if (now - carried.since >= idleTimeout) carried.conn.destroy()
    }
  }
}

function movedBy({ bytesRead = 0, bytesWritten = 0 }: Duplex & Counting): Moved {
  return { read: bytesRead, written: bytesWritten }
}

function bytesOf({ conn, before }: Carried): Moved {
  const { read, written } = movedBy(conn)
  return { read: Math.max(0, read - before.read), written: written - before.written }
}
