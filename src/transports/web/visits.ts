/**
 * What is remembered of fronts from one connection to the next, in memory alone: the hello that was answered, and the tickets for a
 * repeat visit.
 */
import { TicketStore } from '../../tls/tickets.ts'
import type { Browser } from './utls.ts'

/** How many fronts are remembered. The one that was dialled the longest ago is forgotten first. */
const KEPT = 200

/** What is remembered of one front. */
export interface Visit {
  readonly tickets: TicketStore
  /** Whose hello was answered after another one was not. */
  answered: Browser | undefined
  /** True if the front chose HTTP/2 for what has to be HTTP/1.1. */
  wantsHttp2: boolean
  /** Which name of a list worked last, as its place. */
  place: number | undefined
}

/** The fronts that one launch of a client has dialled. */
export class Visits {
  readonly #visits = new Map<string, Visit>()

  /** `key` names the bridge: its address, its host, and all else that a ticket must not link. */
  of(key: string): Visit {
    const visit = this.#visits.get(key) ?? {
      tickets: new TicketStore(),
      answered: undefined,
      wantsHttp2: false,
      place: undefined,
    }
    // The front that was dialled last is the last of the map.
    this.#visits.delete(key)
    this.#visits.set(key, visit)
    for (const oldest of this.#visits.keys()) {
      if (this.#visits.size <= KEPT) break
      this.#visits.delete(oldest)
    }
    return visit
  }
}
