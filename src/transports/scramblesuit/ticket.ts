/**
 * Session tickets as a server writes them for itself; to a client they are 112 opaque bytes.
 *
 *     IV(16) | AES-128-CBC( issue time(4) | "ScrambleSuitTicket"(18) | master key(32) | zeros(10) ) | HMAC-SHA256(32)
 *
 * The HMAC is over IV and ciphertext. Times are seconds since 1970, little-endian; in 2106 they begin again at 0.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { equalBytes } from '../../crypto/equal-bytes.ts'
import { hmac } from '../../crypto/hmac.ts'
import { ticketLength } from './hello.ts'

/** How long a ticket is good for, and after how long its keys are replaced; in seconds. */
export const ticketLifetime: number = 7 * 24 * 3600

/** How far ahead a time may be, in seconds, as clocks differ. A time beyond it comes from a wrong clock. */
const clockTolerance = 3600

/** True if what was made at `made` is good at `now`: made in the last seven days, and not in times to come. In seconds. */
export function isCurrent(made: number, now: number): boolean {
  return now - made <= ticketLifetime && made - now <= clockTolerance
}

export const masterLength = 32
const ivLength = 16
const tagLength = 32
const identifier = Buffer.from('ScrambleSuitTicket')
const masterAt = 4 + identifier.length

/** One generation of keys; the one before it is kept as long, so that its last tickets live out their time. */
export interface TicketKeys {
  /** Seconds since 1970. */
  readonly created: number
  /** 16 bytes. */
  readonly cipher: Buffer
  /** 32 bytes. */
  readonly mac: Buffer
}

/** One or two generations of keys, the newest first. */
export type TicketGenerations = readonly [newest: TicketKeys, previous?: TicketKeys]

export function newTicketKeys(created: number): TicketKeys {
  return { created, cipher: randomBytes(16), mac: randomBytes(32) }
}

/**
 * The generations at `now`: a new one after seven days, and the one before it. One of times to come is from a clock that was
 * wrong, or this clock is: it is not used for new tickets, as it would be until that time comes, but kept as the other one.
 */
export function rotateTicketKeys(generations: TicketGenerations, now: number): TicketGenerations {
  const all = generations.filter((keys) => keys !== undefined)
  const age = ({ created }: TicketKeys): number => now - created
  const within = (limit: number) => (keys: TicketKeys) => age(keys) < limit && age(keys) >= -clockTolerance
  const newest = all.find(within(ticketLifetime)) ?? newTicketKeys(now)
  if (newest === generations[0]) return generations
  const others = all.filter((keys) => keys !== newest)
  const previous = others.find(within(2 * ticketLifetime)) ?? others[0]
  return previous === undefined ? [newest] : [newest, previous]
}

/** Makes a ticket for the 32 bytes of `master`, issued at `now` (seconds since 1970). */
export function sealTicket(keys: TicketKeys, master: Uint8Array, now: number): Buffer {
  const plain = Buffer.alloc(64)
  plain.writeUInt32LE(now >>> 0, 0)
  plain.set(identifier, 4)
  plain.set(master, masterAt)
  const iv = randomBytes(ivLength)
  const cipher = createCipheriv('aes-128-cbc', keys.cipher, iv).setAutoPadding(false)
  const sealed = Buffer.concat([iv, cipher.update(plain), cipher.final()])
  return Buffer.concat([sealed, hmac(keys.mac, sealed)])
}

/** Returns the master key of a ticket that one of `generations` made and that is good at `now`; else undefined. */
export function openTicket(generations: TicketGenerations, ticket: Uint8Array, now: number): Buffer | undefined {
  const sealed = ticket.subarray(0, ticketLength - tagLength)
  const tag = ticket.subarray(ticketLength - tagLength, ticketLength)
  // Every generation is tried whatever the others say: the time it takes does not show which of them made a ticket.
  const all = generations.filter((keys) => keys !== undefined)
  const made = all[all.map((keys) => equalBytes(hmac(keys.mac, sealed), tag)).indexOf(true)]
  if (made === undefined) return undefined
  const cipher = createDecipheriv('aes-128-cbc', made.cipher, sealed.subarray(0, ivLength)).setAutoPadding(false)
  const plain = Buffer.concat([cipher.update(sealed.subarray(ivLength)), cipher.final()])
  // The difference as a signed number of 32 bits is right across 2106 too.
  const age = ((now >>> 0) - plain.readUInt32LE(0)) | 0
  const known = plain.subarray(4, masterAt).equals(identifier)
  return known && isCurrent(-age, 0) ? plain.subarray(masterAt, masterAt + masterLength) : undefined
}
