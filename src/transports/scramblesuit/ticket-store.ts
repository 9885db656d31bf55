/**
 * The session tickets of a client, one for each bridge, in the reference's format. Each is used once and for seven days.
 *
 *     scramblesuit_tickets.json   {"192.0.2.1:443": {"key-ticket": base32( master key 32 | ticket 112 ), "issuedAt": s}, …}
 */
import { join } from 'node:path'
import { readPrivateFile, stateError, writePrivateFile, writePrivateFileSync } from '../private-file.ts'
import { decodeBase32, encodeBase32 } from './base32.ts'
import { ticketLength } from './hello.ts'
import { masterLength, ticketLifetime } from './ticket.ts'

export interface SessionTicket {
  /** 32 bytes, from which both sides derive the session's keys. */
  readonly master: Buffer
  /** 112 bytes for the bridge to read. */
  readonly ticket: Buffer
}

/** A client's tickets. `bridge` is `host:port`; `now` is in seconds. */
export interface TicketStore {
  /** Takes the ticket of a bridge out, if there is one that is good. Rejects with PT_STATE where that cannot be saved. */
  take(bridge: string, now: number): Promise<SessionTicket | undefined>
  /** Keeps a new one in place of any older. Throws PT_STATE where it cannot be saved. */
  put(bridge: string, ticket: SessionTicket, now: number): void
}

/** More bridges than these are not remembered; the oldest go first. */
const maxBridges = 1000

interface Entry {
  readonly issuedAt: number
  readonly keyTicket: Buffer
}

/** The payload of a ticket packet, or undefined where it has another length. */
export function parseTicketPayload(payload: Uint8Array): SessionTicket | undefined {
  if (payload.length !== masterLength + ticketLength) return undefined
  const bytes = Buffer.from(payload)
  return { master: bytes.subarray(0, masterLength), ticket: bytes.subarray(masterLength) }
}

/** Opens the store in `stateDir`. Rejects with PT_STATE, and leaves the file alone, where it holds something else. */
export async function openTicketStore(stateDir: string): Promise<TicketStore> {
  const path = join(stateDir, 'scramblesuit_tickets.json')
  const text = await readPrivateFile(path)
  const entries = text === undefined ? new Map<string, Entry>() : parse(path, text)
  let striking = Promise.resolve()
  /** What is to be in the file, without what is too old or too much. */
  const kept = (now: number): string => {
    for (const [bridge, { issuedAt }] of entries) {
      if (now - issuedAt > ticketLifetime || entries.size > maxBridges) entries.delete(bridge)
    }
    return format(entries)
  }
  return {
    async take(bridge, now) {
      const entry = entries.get(bridge)
      if (entry === undefined) return undefined
      // Out of the file, and on the disk, before it is used: a second session under the same keys would give both away.
      entries.delete(bridge)
      striking = striking.catch(() => undefined).then(() => writePrivateFile(path, kept(now)))
      await striking
      return now - entry.issuedAt <= ticketLifetime ? parseTicketPayload(entry.keyTicket) : undefined
    },
    put(bridge, { master, ticket }, now) {
      entries.delete(bridge)
      entries.set(bridge, { issuedAt: now, keyTicket: Buffer.concat([master, ticket]) })
      writePrivateFileSync(path, kept(now))
    },
  }
}

function format(entries: ReadonlyMap<string, Entry>): string {
  const json = Array.from(entries, ([bridge, { issuedAt, keyTicket }]) => [
    bridge,
    { 'key-ticket': encodeBase32(keyTicket), issuedAt },
  ])
  return JSON.stringify(Object.fromEntries(json))
}

function parse(path: string, text: string): Map<string, Entry> {
  try {
    const json = Object.entries(JSON.parse(text) as Record<string, { 'key-ticket': string; issuedAt: number }>)
    return new Map(json.map(([bridge, entry]) => [bridge, parseEntry(entry)]))
  } catch {
    // The cause is left out: it would quote the file, and with it a key or the address of a bridge.
    throw stateError(path, 'does not hold scramblesuit tickets')
  }
}

function parseEntry(entry: { 'key-ticket': string; issuedAt: number }): Entry {
  const [keyTicket, issuedAt] = [decodeBase32(entry['key-ticket']), entry.issuedAt]
  if (keyTicket?.length !== masterLength + ticketLength || !Number.isInteger(issuedAt)) throw new TypeError()
  return { keyTicket, issuedAt }
}
