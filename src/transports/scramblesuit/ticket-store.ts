/**
 * The session tickets of a client, one for each bridge, in the reference's format. Each is used once and for seven days.
 *
 *     scramblesuit_tickets.json   {"192.0.2.1:443": {"key-ticket": base32( master key 32 | ticket 112 ), "issuedAt": s}, …}
 *
 * Other processes may have the same file: it is read each time, and spent-tickets.ts decides which process owns a ticket. What two of them
 * write at the same moment may be lost, which costs a ticket and nothing else. A file that cannot be read holds no tickets.
 */
import { realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { clearDrafts } from '../../io/files/drafts.ts'
import { readPrivateFile, writePrivateFile } from '../../io/files/private-file.ts'
import { decodeBase32, encodeBase32 } from './base32.ts'
import { ticketLength } from './hello.ts'
import { claimTicket, forgetSpentTickets } from './spent-tickets.ts'
import { isCurrent, masterLength, ticketLifetime } from './ticket.ts'

export interface SessionTicket {
  /** 32 bytes, from which both sides derive the session's keys. */
  readonly master: Buffer
  /** 112 bytes for the bridge to read. */
  readonly ticket: Buffer
}

/** How many bridges are remembered; beyond that the oldest are forgotten. */
const maxBridges = 1000

interface Entry {
  readonly issuedAt: number
  readonly keyTicket: Buffer
}

type Entries = Map<string, Entry>

/** Reads the payload of a ticket packet; undefined if it has another length. */
export function parseTicketPayload(payload: Uint8Array): SessionTicket | undefined {
  if (payload.length !== masterLength + ticketLength) return undefined
  const bytes = Buffer.from(payload)
  return { master: bytes.subarray(0, masterLength), ticket: bytes.subarray(masterLength) }
}

/** The store of each state directory of this process, as long as it is in use. */
const stores = new Map<string, WeakRef<TicketStore>>()

/** Returns the store of `stateDir`. `now` is in seconds. */
export async function openTicketStore(stateDir: string, now: number): Promise<TicketStore> {
  const folder = await realpath(stateDir).catch(() => resolve(stateDir))
  for (const [key, store] of stores) if (store.deref() === undefined) stores.delete(key)
  const known = stores.get(folder)?.deref()
  if (known !== undefined) return known
  const store = new TicketStore(folder)
  stores.set(folder, new WeakRef(store))
  await store.tidy(now)
  return store
}

/** A client's tickets. `bridge` is `host:port`; `now` is in seconds. */
export class TicketStore {
  readonly #stateDir: string
  readonly #path: string
  /** What the next write takes out and puts in, by bridge. */
  #used = new Map<string, Entry>()
  #fresh = new Map<string, Entry>()
  #queued: Promise<void> | undefined
  #last: Promise<void> = Promise.resolve()

  constructor(stateDir: string) {
    this.#stateDir = stateDir
    this.#path = join(stateDir, 'scramblesuit_tickets.json')
  }

  /** Removes what earlier processes have left behind. */
  async tidy(now: number): Promise<void> {
    await Promise.all([clearDrafts(this.#path), forgetSpentTickets(this.#stateDir, now)])
  }

  /** Takes the ticket of a bridge out, if there is one that is good. Rejects with PT_STATE if that cannot be saved. */
  async take(bridge: string, now: number): Promise<SessionTicket | undefined> {
    // A ticket that has just come may not be in the file yet.
    await this.#last
    const entry = (await this.#read()).get(bridge)
    if (entry === undefined) return undefined
    // It is claimed before it is used: a second session under the same keys would give both away.
    const { issuedAt, keyTicket } = entry
    if (!isCurrent(issuedAt, now)) return undefined
    const isOurs = await claimTicket(this.#stateDir, keyTicket, issuedAt, now)
    // It is also taken out of the file, as the reference and older versions of this program know nothing of claims.
    this.#used.set(bridge, entry)
    await this.#save(now)
    return isOurs ? parseTicketPayload(keyTicket) : undefined
  }

  /** Keeps a new ticket in place of any older one. Rejects with PT_STATE if it cannot be saved; then it is lost. */
  async put(bridge: string, { master, ticket }: SessionTicket, now: number): Promise<void> {
    this.#fresh.set(bridge, { issuedAt: now, keyTicket: Buffer.concat([master, ticket]) })
    await this.#save(now)
  }

  /** Resolves when all changes are saved. At most one write is under way and one waits, however many changes come. */
  #save(now: number): Promise<void> {
    if (this.#queued !== undefined) return this.#queued
    this.#queued = this.#last.then(() => this.#write(now))
    this.#last = this.#queued.catch(() => undefined)
    return this.#queued
  }

  async #write(now: number): Promise<void> {
    const [used, fresh] = [this.#used, this.#fresh]
    this.#used = new Map()
    this.#fresh = new Map()
    this.#queued = undefined
    const entries = await this.#read()
    for (const [bridge, { keyTicket }] of used) {
      // Another process may have put a new ticket there.
      if (entries.get(bridge)?.keyTicket.equals(keyTicket) === true) entries.delete(bridge)
    }
    for (const [bridge, entry] of fresh) {
      entries.delete(bridge)
      entries.set(bridge, entry)
    }
    for (const [bridge, { issuedAt }] of entries) {
      if (now - issuedAt > ticketLifetime || entries.size > maxBridges) entries.delete(bridge)
    }
    // A loss of power costs a ticket at most, or a vain try of one.
    await writePrivateFile(this.#path, format(entries), { durable: false })
  }

  async #read(): Promise<Entries> {
    const text = await readPrivateFile(this.#path)
    return text === undefined ? new Map() : parse(text)
  }
}

function format(entries: ReadonlyMap<string, Entry>): string {
  const json = Array.from(entries, ([bridge, { issuedAt, keyTicket }]) => [
    bridge,
    { 'key-ticket': encodeBase32(keyTicket), issuedAt },
  ])
  return JSON.stringify(Object.fromEntries(json))
}

/** Reads the file and leaves out what cannot be read: without a ticket the handshake is by password. */
function parse(text: string): Entries {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return new Map()
  }
  const entries: Entries = new Map()
  for (const [bridge, value] of Object.entries(json ?? {})) {
    const entry = parseEntry(value)
    if (entry !== undefined) entries.set(bridge, entry)
  }
  return entries
}

function parseEntry(value: unknown): Entry | undefined {
  const { 'key-ticket': text, issuedAt } = (value ?? {}) as { 'key-ticket'?: unknown; issuedAt?: unknown }
  const keyTicket = typeof text === 'string' ? decodeBase32(text) : undefined
  if (keyTicket?.length !== masterLength + ticketLength || !Number.isSafeInteger(issuedAt)) return undefined
  return { keyTicket, issuedAt: Number(issuedAt) }
}
