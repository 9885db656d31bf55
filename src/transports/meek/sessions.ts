/**
 * The sessions of a server by their ids, and the ids of those that have ended.
 *
 *     new id ── fresh ── bytes both ways ── proven ── over ── ended: the id is remembered, so that its client
 *                 └─ too many sessions or bytes: ended        does not get a new connection in the middle of its stream
 *
 * A newcomer is never refused: the session that has carried nothing for longest makes room. Sessions that are not proven go first
 * if they are half of all, so that a stranger who makes up ids ends none but those.
 */
import { PtError } from '../../error.ts'
import type { Report } from '../../transport.ts'
import type { ServerLimits } from './server-limits.ts'
import type { Keeper } from './session.ts'
import { Session } from './session.ts'

/** How often the same warning is said, in ms. */
const SAID_EVERY = 60_000

export class Sessions {
  readonly #limits: ServerLimits
  readonly #log: Report['log']
  /** Both are in the order of the last bytes. */
  readonly #fresh = new Set<Entry>()
  readonly #proven = new Set<Entry>()
  readonly #byId = new Map<string, Entry>()
  /** When a client has asked for an ended session, in this order. */
  readonly #ended = new Map<string, number>()
  #bytes = 0
  #lastSaid = -Infinity
  #sweep: NodeJS.Timeout | undefined
  #over = false

  constructor(limits: ServerLimits, log: Report['log']) {
    this.#limits = limits
    this.#log = log
  }

  get count(): number {
    return this.#byId.size
  }

  /** The number of bytes that the sessions hold together. */
  get bytes(): number {
    return this.#bytes
  }

  /** The session of this id; a new one if the id is not known. Undefined if the session has ended. */
  of(id: string): Session | undefined {
    const known = this.#byId.get(id)
    if (known !== undefined) {
      known.session.lastRequest = performance.now()
      return known.session
    }
    if (!this.#over && !this.#ended.has(id)) return this.#open(id)
    this.#remember(id)
    return undefined
  }

  /** Ends all of them, and each that would begin. */
  close(): void {
    this.#over = true
    clearInterval(this.#sweep)
    for (const { session } of this.#byId.values()) {
      session.destroy(new PtError('PT_STOPPED', 'the server has been closed'))
    }
  }

  #open(id: string): Session {
    while (this.#byId.size >= this.#limits.mostSessions) this.#makeRoom(`${this.#byId.size} are open`)
    const entry = new Entry(this, id)
    this.#byId.set(id, entry)
    this.#fresh.add(entry)
    // The errors are for the stream's reader. Until it is delivered there is none.
    entry.session.on('error', () => undefined).once('close', () => this.#closed(entry))
    this.#sweep ??= setInterval(() => this.#look(), Math.min(this.#limits.noRequestFor, this.#limits.noDataFor) / 8)
    this.#sweep.unref()
    return entry.session
  }

  #closed(entry: Entry): void {
    // One that made room has been forgotten already.
    this.#forget(entry)
    if (this.#byId.size > 0) return
    clearInterval(this.#sweep)
    this.#sweep = undefined
  }

  #forget(entry: Entry): void {
    if (this.#byId.get(entry.id) !== entry) return
    this.#byId.delete(entry.id)
    this.#fresh.delete(entry)
    this.#proven.delete(entry)
    this.#bytes -= entry.counted
    entry.counted = 0
    this.#remember(entry.id)
  }

  #remember(id: string): void {
    this.#ended.delete(id)
    this.#ended.set(id, performance.now())
    const [oldest] = this.#ended.keys()
    if (this.#ended.size > this.#limits.mostEnded && oldest !== undefined) this.#ended.delete(oldest)
  }

  #makeRoom(why: string, isRoom = (_entry: Entry): boolean => true): void {
    const order = 2 * this.#fresh.size >= this.#byId.size ? [this.#fresh, this.#proven] : [this.#proven, this.#fresh]
    const entry = firstOf(order, isRoom)
    if (entry === undefined) return
    this.#forget(entry)
    entry.session.destroy(new PtError('PT_LIMIT', 'the session made room for others'))
    if (performance.now() - this.#lastSaid < SAID_EVERY) return
    this.#lastSaid = performance.now()
    this.#log('warning', `sessions are ended, those without data for longest first, as ${why}`)
  }

  /** Ends sessions whose client has gone, and those that carry nothing; forgets ids. */
  #look(): void {
    const { noRequestFor, noDataFor, endedFor } = this.#limits
    const now = performance.now()
    for (const { session, lastData } of this.#byId.values()) {
      if (now - session.lastRequest > noRequestFor || now - lastData > noDataFor) session.leave()
    }
    for (const [id, asked] of this.#ended) {
      if (now - asked < endedFor) break
      this.#ended.delete(id)
    }
  }

  // The entries call these two.

  carried(entry: Entry): void {
    if (this.#byId.get(entry.id) !== entry) return
    const order = entry.session.isProven ? this.#proven : this.#fresh
    this.#fresh.delete(entry)
    order.delete(entry)
    order.add(entry)
  }

  changed(entry: Entry): void {
    if (this.#byId.get(entry.id) !== entry) return
    const { held } = entry.session
    this.#bytes += held - entry.counted
    entry.counted = held
    if (this.#bytes > this.#limits.mostBytes)
      this.#makeRoom('they hold too many bytes', ({ session }) => session.held > 0)
  }
}

class Entry implements Keeper {
  readonly id: string
  readonly session: Session
  lastData: number = performance.now()
  /** The bytes that it holds, as far as they are in the sum. */
  counted = 0
  readonly #sessions: Sessions

  constructor(sessions: Sessions, id: string) {
    this.#sessions = sessions
    this.id = id
    this.session = new Session(this)
  }

  carried(): void {
    this.lastData = performance.now()
    this.#sessions.carried(this)
  }

  changed(): void {
    this.#sessions.changed(this)
  }
}

function firstOf(order: readonly ReadonlySet<Entry>[], isRight: (entry: Entry) => boolean): Entry | undefined {
  for (const entries of order) for (const entry of entries) if (isRight(entry)) return entry
  return undefined
}
