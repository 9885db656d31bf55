/**
 * The file of what a server has taken and must not take a second time: the MACs of hellos, in the hours in which they could be
 * played back, and tickets, as long as they are good.
 *
 *     scramblesuit_replays   one line each: <last hour> <id, 32 hex digits>
 *
 * It outlives a restart. A ticket that is taken twice, from an observer or from a client that used it twice, starts a second
 * session under the same keys, and both can then be read. A prober would get an answer to any hello it has seen. Only holders
 * of the password or of a ticket can add to it.
 *
 * The file serves the bridge and never costs it: a line that cannot be read is passed over, and so is the whole file.
 *
 * Other processes may serve the same bridge, as the old and the new one do while one takes over from the other. Each reads
 * what the others have appended when it appends itself.
 */
import { macLength } from '../../crypto/hmac.ts'
import { Remembered } from '../../crypto/remembered.ts'
import { clearDrafts } from '../../io/files/drafts.ts'
import { appendPrivateLines, readPrivateTail, writePrivateFile } from '../../io/files/private-file.ts'
import { ticketLifetime } from './ticket.ts'

/** So many hellos and so many tickets are remembered, and beyond that the oldest are forgotten. obfs4proxy has the same number for obfs4. */
const capacity = 102_400

/** A MAC has as many bytes, and the tag that ends a ticket is told from all others by as many. */
const idLength = macLength

/** For how many hours a ticket is remembered: its own, the one it began in, and one for clocks that differ. */
export const ticketHours: number = ticketLifetime / 3600 + 2

/** How many lines of the file are looked at in one turn of the event loop. A full file has some 200,000, which take 0.7 s. */
const linesAtOnce = 4_096

/** Lines that wait for a disk that cannot be written. With more of them the file is written as a whole when it can be. */
const maxPending = 10_000

export interface SeenFile {
  /** Remembers the MAC of a hello of the hour `epoch`, at the hour `now`; false if it is known already. */
  admit(mac: Uint8Array, epoch: number, now: number): boolean
  /** Remembers a ticket; false if it is known already. */
  admitTicket(ticket: Uint8Array, now: number): boolean
  /**
   * Resolves when all that was admitted is on the disk: with false if another process has taken `bytes`, a MAC or a ticket, as
   * well, and both may be told so. Rejects with PT_STATE if it could not be written.
   */
  saved(bytes?: Uint8Array): Promise<boolean>
}

/** Opens the table in the file `path` at the hour `now`. `warn` is told what keeps it from being read or tidied. */
export async function openSeenFile(path: string, now: number, warn: (message: string) => void): Promise<SeenFile> {
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

class Table implements SeenFile {
  readonly #path: string
  /** Both are ordered by their last hour, which is nearly the order of arrival. */
  readonly #hellos = new Remembered()
  readonly #tickets = new Remembered()
  /** How many lines the file has. */
  #lines = 0
  #pending: string[] = []
  /** The hour of the last hello. */
  #now = 0
  /** More was left out of the file than can be appended. */
  #incomplete = false
  #writing: Promise<void> = Promise.resolve()
  /** Which file was read, and how far. */
  #read = { end: 0, id: -1 }
  /** Ids that another process has taken at the same moment. */
  readonly #shared = new Set<string>()

  constructor(path: string) {
    this.#path = path
  }

  /** Rejects with PT_STATE. */
  async load(now: number): Promise<void> {
    this.#now = now
    await this.#learn(new Set())
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
    return this.#add(this.#tickets, ticket, now + ticketHours, now)
  }

  async saved(bytes?: Uint8Array): Promise<boolean> {
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write())
    await this.#writing
    return bytes === undefined || !this.#shared.delete(idOf(bytes))
  }

  get #size(): number {
    return this.#hellos.size + this.#tickets.size
  }

  #has(id: string): boolean {
    return this.#hellos.has(id) || this.#tickets.has(id)
  }

  #add(table: Remembered, bytes: Uint8Array, hour: number, now: number): boolean {
    this.#forget(now)
    this.#now = now
    const id = idOf(bytes)
    if (this.#has(id)) return false
    table.add(id, hour)
    this.#pending.push(format(id, hour))
    return true
  }

  #forget(now: number): void {
    for (const table of [this.#hellos, this.#tickets]) {
      // An entry whose hour is one ahead holds up those after it for an hour.
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
    try {
      await appendPrivateLines(this.#path, batch.join(''))
      await this.#learn(new Set(batch))
    } catch (error) {
      this.#pending = [...batch, ...this.#pending]
      this.#incomplete = this.#pending.length > maxPending
      if (this.#incomplete) this.#pending = []
      throw error
    }
  }

  /** Takes over what others have appended; `own` are the lines that were just appended here. */
  async #learn(own: Set<string>): Promise<void> {
    const mine = new Set([...own].map(idIn))
    const lines = await this.#newLines()
    for (let at = 0; at < lines.length; at += linesAtOnce) {
      if (at > 0) await new Promise((resolve) => setImmediate(resolve))
      // Hellos may have been admitted since the lines before these were looked at.
      const waiting = new Set(this.#pending.map(idIn))
      for (const line of lines.slice(at, at + linesAtOnce)) {
        // Of two lines that are the same, one is another process's.
        if (!own.delete(`${line}\n`)) this.#take(line, (id) => mine.has(id) || waiting.has(id))
      }
    }
    // Those that are left are not asked for: their connections ended while the disk was full.
    if (this.#shared.size > maxPending) this.#shared.clear()
  }

  /** Takes over a line of another process; `isMine` says whether this process has admitted the same in the meantime. */
  #take(line: string, isMine: (id: string) => boolean): void {
    const [, hour, id] = /^(\d{1,15}) ([0-9a-f]{32})$/.exec(line) ?? []
    if (hour === undefined || id === undefined) return
    if (isMine(id)) this.#shared.add(id)
    if (this.#has(id)) return
    // What lies further ahead than a hello's hour can be is a ticket, or was written by a clock that was wrong: it is kept, as
    // it may be this clock that is.
    const table = Number(hour) > this.#now + 1 ? this.#tickets : this.#hellos
    table.add(id, Number(hour))
  }

  /** The lines, without NL, that were not read yet. */
  async #newLines(): Promise<string[]> {
    let tail = await readPrivateTail(this.#path, this.#read.end)
    if (this.#read.end > 0 && (tail.id !== this.#read.id || tail.size < this.#read.end)) {
      // Another process has written the file as a whole.
      this.#read = { end: 0, id: tail.id }
      this.#lines = 0
      tail = await readPrivateTail(this.#path, 0)
    }
    // What has no end yet is half a line, or is being written.
    const size = tail.bytes.lastIndexOf('\n') + 1
    const lines = tail.bytes.toString('latin1', 0, size).split('\n').slice(0, -1)
    this.#lines += lines.length
    this.#read = { end: this.#read.end + size, id: tail.id }
    return lines
  }

  async #rewrite(): Promise<void> {
    await this.#learn(new Set())
    const entries = [...this.#hellos.entries(), ...this.#tickets.entries()]
    const text = entries.map(([id, hour]) => format(id, hour)).join('')
    const written = this.#pending.length
    await writePrivateFile(this.#path, text)
    this.#pending.splice(0, written)
    this.#incomplete = false
    this.#lines = entries.length
    this.#read = { end: text.length, id: (await readPrivateTail(this.#path, text.length)).id }
  }
}

/** The bytes by which a ticket, by the tag that ends it, or a MAC is known. */
export function shownId(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(-idLength)
}

function idOf(bytes: Uint8Array): string {
  return Buffer.from(shownId(bytes)).toString('hex')
}

/** The id in a line that ends with NL. */
function idIn(line: string): string {
  return line.slice(line.indexOf(' ') + 1, -1)
}

function format(id: string, hour: number): string {
  return `${hour} ${id}\n`
}
