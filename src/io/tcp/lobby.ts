/**
 * The connections of a local port that have not said anything valid yet. There is room for a number of them. When it is full, a
 * newcomer is taken all the same, and of the source with the most connections the oldest one is closed to make room. A newcomer is
 * more likely to be a real request than the connection that has been silent for longest.
 *
 *     accepted ── enter ── a valid request ── leave
 *                   └───── silent for some seconds, and the oldest when room is needed ── destroyed
 *
 * A connection that came a moment ago is never closed, however many there are: many requests may come at once.
 */
import type { Duplex } from 'node:stream'
import type { EndWatcher } from '../ends.ts'
import { unwatchEnds, watchEnds } from '../ends.ts'

/** The options of a Lobby. */
export interface LobbyOptions {
  /** How many connections may wait here. */
  readonly limit: number
  /** This is called for each connection that was closed to make room. */
  readonly onEnded?: (() => void) | undefined
  /** How much time a connection always has to say something, in ms. Default 3,000. */
  readonly grace?: number | undefined
}

const GRACE = 3_000

/** A place in the lobby. */
export interface Guest {
  /** The connection has said something valid and no longer counts. A connection that closes leaves by itself. */
  leave(): void
}

/** The connections of a local port that have not proved yet that they are meant for it. */
export class Lobby {
  readonly #limit: number
  readonly #onEnded: (() => void) | undefined
  readonly #grace: number
  /** The guests of each source, oldest first. */
  readonly #sources = new Map<string, Set<LobbyGuest>>()
  #size = 0

  constructor({ limit, onEnded, grace = GRACE }: LobbyOptions) {
    this.#limit = limit
    this.#grace = grace
    this.#onEnded = onEnded
  }

  get size(): number {
    return this.#size
  }

  /** Takes in `conn`, whose peer has the address `source`. */
  enter(conn: Duplex, source: string = ''): Guest {
    if (this.#size >= this.#limit) this.makeRoom()
    const guest = new LobbyGuest(this, conn, source)
    const guests = this.#sources.get(source)
    if (guests === undefined) this.#sources.set(source, new Set([guest]))
    else guests.add(guest)
    this.#size++
    watchEnds(conn, guest)
    return guest
  }

  /** Closes the oldest connection of the source that has the most. False if there is none, or if it came less than `grace` ms ago. */
  makeRoom(grace: number = this.#grace): boolean {
    let most: Set<LobbyGuest> | undefined
    for (const guests of this.#sources.values()) if (guests.size > (most?.size ?? 0)) most = guests
    const [oldest] = most ?? []
    if (oldest === undefined || performance.now() - oldest.since < grace) return false
    oldest.leave()
    oldest.conn.destroy()
    this.#onEnded?.()
    return true
  }

  /** A guest calls this when it leaves. */
  remove(guest: LobbyGuest): void {
    const guests = this.#sources.get(guest.source)
    if (guests?.delete(guest) !== true) return
    this.#size--
    if (guests.size === 0) this.#sources.delete(guest.source)
  }
}

class LobbyGuest implements Guest, EndWatcher {
  readonly #lobby: Lobby
  readonly conn: Duplex
  readonly source: string
  readonly since: number = performance.now()

  constructor(lobby: Lobby, conn: Duplex, source: string) {
    this.#lobby = lobby
    this.conn = conn
    this.source = source
  }

  leave(): void {
    unwatchEnds(this.conn, this)
    this.#lobby.remove(this)
  }

  onClose(): void {
    this.#lobby.remove(this)
  }
}
