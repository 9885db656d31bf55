/**
 * What a tunnel knows of itself: its connections, limited in number and ended together, and the counts that people and programs are
 * shown. No address is in any of it.
 *
 *     admitted ── has its turn ── carries ── closed
 *         └── there are as many as there may be: it waits for its turn, and is not refused
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'

/** The state of a tunnel. */
export type TunnelState = 'ready' | 'restarting' | 'draining' | 'closed'

/** The counts of a tunnel. */
export interface TunnelStats {
  readonly state: TunnelState
  /** Connections that carry bytes now. */
  readonly open: number
  /** Connections that are being made, or wait for their turn. */
  readonly waiting: number
  /** All that were ever taken. */
  readonly total: number
  /** Connections that were not taken, because the tunnel was ending. */
  readonly refused: number
  /** From the tunnel's client to its far end, and back. */
  readonly bytesUp: number
  readonly bytesDown: number
  /** Failed connections by the stage of their failure; `unknown` if that is not known. */
  readonly failures: Readonly<Record<string, number>>
  readonly restarts: number
  readonly lastFailure: { readonly at: Date; readonly stage: string; readonly message: string } | undefined
}

/** What sockets count by themselves. A stream that does not count is carried all the same, and moves no bytes here. */
interface Counting {
  readonly bytesRead?: number
  readonly bytesWritten?: number
}

interface Moved {
  readonly up: number
  readonly down: number
}

interface Carried {
  readonly conn: Duplex
  /** How many bytes have gone up and down by now. */
  readonly moved: () => Moved
  /** The count when it was last looked at, and since when it is the same. */
  seen: Moved
  since: number
}

/** How often within its time-out a connection is looked at. */
const IDLE_CHECKS = 4

export class TunnelConnections {
  readonly #max: number
  readonly #taken = new Set<Duplex>()
  /** Those that wait for their turn, the oldest first, and what is called when it has come. */
  readonly #queue = new Map<Duplex, (hasTurn: boolean) => void>()
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

  /** True if there are as many as there may be: then no more should be accepted. */
  get full(): boolean {
    return this.#taken.size - this.#queue.size >= this.#max
  }

  /** Counts `conn` in until it closes. If the tunnel takes no more, it destroys `conn` and is false. */
  admit(conn: Duplex): boolean {
    if (this.#refusing) {
      this.#refused++
      conn.destroy()
      return false
    }
    this.#total++
    const mayBegin = !this.full
    this.#taken.add(conn)
    if (!mayBegin) this.#queue.set(conn, () => undefined)
    // An error of a connection that is ended here must not end the process.
    conn.on('error', () => undefined).once('close', () => this.#closed(conn))
    return true
  }

  /** Resolves when it is the turn of `conn`, which has been admitted; with false if it has closed before that. */
  turn(conn: Duplex): Promise<boolean> | boolean {
    if (!this.#queue.has(conn)) return !conn.destroyed
    return new Promise((resolve) => this.#queue.set(conn, resolve))
  }

  /**
   * `conn` carries bytes from now on. They are counted at `far`, the other end, if that counts: what is written to it goes up. If it
   * does not count, they are counted at `conn`, without those that were read and written there before.
   */
  carries(conn: Duplex, far?: Duplex & Counting): void {
    if (conn.destroyed) return
    const moved = far?.bytesWritten === undefined ? movedAt(conn) : movedTo(far)
    this.#carried.set(conn, { conn, moved, seen: moved(), since: performance.now() })
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
    for (const { moved } of this.#carried.values()) {
      const { up, down } = moved()
      bytesUp += up
      bytesDown += down
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
    for (const conn of this.#taken) conn.destroy(new PtError('PT_STOPPED', 'the tunnel has been closed'))
  }

  #closed(conn: Duplex): void {
    const carried = this.#carried.get(conn)
    if (carried !== undefined) {
      const { up, down } = carried.moved()
      this.#up += up
      this.#down += down
      this.#carried.delete(conn)
    }
    this.#taken.delete(conn)
    const waited = this.#queue.get(conn)
    this.#queue.delete(conn)
    waited?.(false)
    if (!this.full) this.#next()
    if (this.#taken.size === 0) this.#whenEmpty?.()
  }

  /** The one that has waited for longest has its turn. */
  #next(): void {
    for (const [conn, begin] of this.#queue) {
      this.#queue.delete(conn)
      return begin(true)
    }
  }

  #endIdle(idleTimeout: number): void {
    const now = performance.now()
    for (const carried of this.#carried.values()) {
      const { up, down } = carried.moved()
      if (up !== carried.seen.up || down !== carried.seen.down) {
        carried.seen = { up, down }
        carried.since = now
      } else if (now - carried.since >= idleTimeout) {
        carried.conn.destroy(new PtError('PT_TIMEOUT', 'the connection carried nothing for too long'))
      }
    }
  }
}

function movedTo(far: Counting): () => Moved {
  const { bytesRead = 0, bytesWritten = 0 } = far
  return () => ({ up: (far.bytesWritten ?? 0) - bytesWritten, down: (far.bytesRead ?? 0) - bytesRead })
}

function movedAt(conn: Duplex & Counting): () => Moved {
  const { bytesRead = 0, bytesWritten = 0 } = conn
  // Bytes that came ahead of their turn are payload already.
  const before = bytesRead - conn.readableLength
  return () => ({ up: Math.max(0, (conn.bytesRead ?? 0) - before), down: (conn.bytesWritten ?? 0) - bytesWritten })
}
