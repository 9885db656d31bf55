/**
 * What a server has taken and must not take a second time: the MACs of hellos, in the hours in which they could be played back,
 * and tickets, as long as they are good.
 *
 *     scramblesuit_replays   one line each: <last hour> <id, 32 hex digits>
 *
 * It outlives a restart. A ticket that is taken twice, from an observer or from a client that used it twice, starts a second
 * session under the same keys, and both can then be read. A prober would get an answer to any hello it has seen. Only holders
 * of the password or of a ticket can add to it.
 *
 * The file serves the bridge and never costs it: a line that cannot be read is passed over, and so is the whole file.
 */
import { Remembered } from '../../crypto/remembered.ts'
import { clearDrafts } from '../../io/drafts.ts'
import { appendPrivateLines, readPrivateFile, writePrivateFile } from '../../io/private-file.ts'
import { ticketLifetime } from './ticket.ts'

/** Of hellos and of tickets each. Beyond these the oldest are forgotten. As many as obfs4proxy remembers for obfs4. */
const capacity = 102_400

/** The tag of a ticket ends it, and is no other ticket's; as many of its bytes as a MAC has are enough. */
const ticketIdLength = 16

/** For how many hours a ticket is remembered: its own, the one it began in, and one for clocks that differ. */
const ticketHours = ticketLifetime / 3600 + 2

/** Lines that wait for a disk that cannot be written. With more of them the file is written as a whole when it can be. */
const maxPending = 10_000

export interface Replays {
  /** Remembers the MAC of a hello of the hour `epoch`, at the hour `now`; false if it is known already. */
  admit(mac: Uint8Array, epoch: number, now: number): boolean
  /** Remembers a ticket; false if it is known already. */
  admitTicket(ticket: Uint8Array, now: number): boolean
  /** Resolves when all that was admitted is on the disk; rejects with PT_STATE when it could not be written. */
  saved(): Promise<void>
}

/** Opens the table in the file `path` at the hour `now`. `warn` is told what keeps it from being read or tidied. */
export async function openReplays(path: string, now: number, warn: (message: string) => void): Promise<Replays> {
  await clearDrafts(path)
  const table = new Table(path)
  const say =
    (consequence: string) =>
    (error: Error): void =>
      warn(`${error.message}: ${consequence}`)
  await table.load(now).catch(say('handshakes that were seen before this start are not known'))
  await table.tidy().catch(say('it keeps what is of no use any more'))
  return table
}

class Table implements Replays {
  readonly #path: string
  /** By their last hour, which for both comes nearly in the order of arrival. */
  readonly #hellos = new Remembered()
  readonly #tickets = new Remembered()
  /** How many lines the file has. */
  #lines = 0
  #pending: string[] = []
  /** More was left out of the file than can be appended. */
  #incomplete = false
  #writing: Promise<void> = Promise.resolve()

  constructor(path: string) {
    this.#path = path
  }

  /** Rejects with PT_STATE. */
  async load(now: number): Promise<void> {
    const lines = ((await readPrivateFile(this.#path)) ?? '').split('\n').filter((line) => line !== '')
    this.#lines = lines.length
    for (const line of lines) {
      const [, hour, id] = /^(\d{1,15}) ([0-9a-f]{32})$/.exec(line) ?? []
      if (hour === undefined || id === undefined || this.#has(id)) continue
      // What lies further ahead than a hello's hour can be is a ticket, or was written by a clock that was wrong: it is kept,
      // as it may be this clock that is.
      const table = Number(hour) > now + 1 ? this.#tickets : this.#hellos
      table.add(id, Number(hour))
    }
    this.#forget(now)
  }

  /** Takes out of the file what is not in the table. Rejects with PT_STATE; then the file is as it was. */
  async tidy(): Promise<void> {
    if (this.#lines > this.#size) await this.#rewrite()
  }

  admit(mac: Uint8Array, epoch: number, now: number): boolean {
    return this.#add(this.#hellos, mac, epoch, now)
  }

  admitTicket(ticket: Uint8Array, now: number): boolean {
    return this.#add(this.#tickets, ticket.subarray(-ticketIdLength), now + ticketHours, now)
  }

  saved(): Promise<void> {
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write())
    return this.#writing
  }

  get #size(): number {
    return this.#hellos.size + this.#tickets.size
  }

  #has(id: string): boolean {
    return this.#hellos.has(id) || this.#tickets.has(id)
  }

  #add(table: Remembered, bytes: Uint8Array, hour: number, now: number): boolean {
    this.#forget(now)
    const id = Buffer.from(bytes).toString('hex')
    if (this.#has(id)) return false
    table.add(id, hour)
    this.#pending.push(format(id, hour))
    return true
  }

  #forget(now: number): void {
    for (const table of [this.#hellos, this.#tickets]) {
      // One that is an hour early holds up those behind it for as long.
      while (table.size > capacity || (table.oldest ?? now) < now - 1) table.forgetOldest()
    }
  }

  async #write(): Promise<void> {
    if (this.#incomplete) return await this.#rewrite()
    if (this.#lines + this.#pending.length > 2 * this.#size + 1000) {
      try {
        return await this.#rewrite()
      } catch {
        // A disk that has no room for a second file may have some for a line.
      }
    }
    if (this.#pending.length > 0) await this.#append()
  }

  async #append(): Promise<void> {
    const batch = this.#pending
    this.#pending = []
    this.#lines += batch.length
    try {
      await appendPrivateLines(this.#path, batch.join(''))
    } catch (error) {
      this.#pending = [...batch, ...this.#pending]
      this.#incomplete = this.#pending.length > maxPending
      if (this.#incomplete) this.#pending = []
      throw error
    }
  }

  async #rewrite(): Promise<void> {
    const entries = [...this.#hellos.entries(), ...this.#tickets.entries()]
    const written = this.#pending.length
    await writePrivateFile(this.#path, entries.map(([id, hour]) => format(id, hour)).join(''))
    this.#pending.splice(0, written)
    this.#lines = entries.length
    this.#incomplete = false
  }
}

function format(id: string, hour: number): string {
  return `${hour} ${id}\n`
}
