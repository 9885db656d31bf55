/**
 * What a tunnel knows of itself: its connections, bounded in number and ended together, and the counts that people and
 * programs are shown. There is no address in any of it.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PtError } from '../error.ts'

export type TunnelState = 'ready' | 'restarting' | 'draining' | 'closed'

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

interface Carried {
  readonly socket: Socket
  /** True where what the socket reads goes up. */
  readonly readsUp: boolean
}

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

  constructor(max: number) {
    this.#max = max
  }

  /** Counts `conn` in until it closes; destroys it, and is false, where there are too many. */
  admit(conn: Duplex): boolean {
    if (this.#refusing || this.#taken.size >= this.#max) {
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

  /** `conn` carries bytes from now on; they are counted at `socket`, which is `conn` itself or its other side. */
  carries(conn: Duplex, carried: Carried): void {
    if (!conn.destroyed) this.#carried.set(conn, carried)
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
  }

  get stats(): TunnelStats {
    let [bytesUp, bytesDown] = [this.#up, this.#down]
    for (const carried of this.#carried.values()) {
      const { up, down } = bytesOf(carried)
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
    for (const conn of this.#taken) conn.destroy()
  }

  #settle(conn: Duplex): void {
    const carried = this.#carried.get(conn)
    if (carried === undefined) return
    const { up, down } = bytesOf(carried)
    this.#up += up
    this.#down += down
    this.#carried.delete(conn)
  }
}

function bytesOf({ socket, readsUp }: Carried): { up: number; down: number } {
  const [read, written] = [socket.bytesRead, socket.bytesWritten]
  return readsUp ? { up: read, down: written } : { up: written, down: read }
}
