/**
 * Tickets for a repeat visit (RFC 8446, section 4.6.1). They stay in memory, and each is used once, as browsers do it: a ticket that is
 * used twice tells an observer that two connections are of one client.
 */
import type { Suite } from './suites.ts'

/** RFC 8446, section 4.6.1: no ticket is kept for longer than seven days. In seconds. */
const MAX_LIFETIME = 604_800
/** Servers send two for each connection. */
const KEPT_EACH = 8
const KEPT_VISITS = 1_000

/** What a server gave for the next visit, and what the first one found out about it. */
export interface Ticket {
  readonly suite: Suite
  readonly psk: Buffer
  readonly bytes: Buffer
  readonly ageAdd: number
  /** When it came, and how long it may be used: in ms. */
  readonly received: number
  readonly lifetime: number
  /** The certificates that were verified then. A resumed connection has none of its own. */
  readonly certificates: readonly Buffer[]
}

/** How old a ticket is, in ms, with the server's number added so that an observer cannot link it to its connection. */
export function ticketAge({ ageAdd, received }: Ticket): number {
  return (ageAdd + Date.now() - received) % 2 ** 32
}

/** The lifetime of a ticket in ms, from the server's seconds. */
export function ticketLifetime(seconds: number): number {
  return Math.min(seconds, MAX_LIFETIME) * 1000
}

/**
 * The tickets of one server address. Give the same store to all connections to that address, and to no other: a ticket tells the server
 * who comes back.
 */
export class TicketStore {
  readonly #visits = new Map<string, Ticket[]>()

  /** Keeps a ticket for connections of the same `key`, which names all that the certificate was verified for. */
  put(key: string, ticket: Ticket): void {
    if (ticket.lifetime === 0) return
    const tickets = this.#visits.get(key) ?? []
    // The newest visit is the last of the map, so that the oldest one is forgotten.
    this.#visits.delete(key)
    this.#visits.set(key, [...tickets, ticket].slice(-KEPT_EACH))
    for (const oldest of this.#visits.keys()) {
      if (this.#visits.size <= KEPT_VISITS) break
      this.#visits.delete(oldest)
    }
  }

  /** The newest ticket that is still good. It is given once. */
  take(key: string): Ticket | undefined {
    const tickets = this.#visits.get(key)
    for (let ticket = tickets?.pop(); ticket !== undefined; ticket = tickets?.pop()) {
      const age = Date.now() - ticket.received
      if (age >= 0 && age < ticket.lifetime) return ticket
    }
    this.#visits.delete(key)
    return undefined
  }
}
