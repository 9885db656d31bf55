/**
 * The tickets that clients of one state directory have used. A ticket belongs to the client that is the first to write it
 * into the file of its day; all others see that and do not use it.
 *
 *     scramblesuit_spent_<day of issue>   one line each: <id of the ticket, 32 hex digits> <claimant, 16 hex digits>
 *
 * The day is that of the ticket's issue, in days since 1970, so that all claimants of a ticket write into the same file. The
 * system puts one append after the other, so that there is no lock that a killed process could leave behind. Nothing is ever
 * taken out of a file; a whole file goes when no ticket of its day is good any more.
 */
import { createHash, randomBytes } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { appendPrivateLines, readPrivateFile } from '../../io/files/private-file.ts'
import { ticketLifetime } from './ticket.ts'

const prefix = 'scramblesuit_spent_'
const secondsOfDay = 24 * 3600

/**
 * Claims a ticket. True for exactly one of all callers, in whatever process, and only when the claim is on the disk. `issuedAt` is what every
 * one of them has read beside the ticket; both times are in seconds. Rejects with PT_STATE if it cannot be written; then the ticket may still be good.
 */
export async function claimTicket(
  stateDir: string,
  ticket: Uint8Array,
  issuedAt: number,
  now: number,
): Promise<boolean> {
  const path = join(stateDir, `${prefix}${dayOf(issuedAt)}`)
  const id = createHash('sha256').update(ticket).digest('hex').slice(0, 32)
  const claim = `${id} ${randomBytes(8).toString('hex')}`
  await appendPrivateLines(path, `${claim}\n`)
  // A line without an end or of another length was cut off by a full disk, and claims nothing.
  const lines = ((await readPrivateFile(path)) ?? '').split('\n').slice(0, -1)
  if (lines.length === 1) await forgetSpentTickets(stateDir, now)
  return lines.find((line) => line.startsWith(`${id} `) && line.length === claim.length) === claim
}

/**
 * Removes the files of days whose tickets are too old at `now`, in seconds. Files of a time to come stay: it may be this clock
 * that is wrong, as that of a small computer is until it has reached the network.
 */
export async function forgetSpentTickets(stateDir: string, now: number): Promise<void> {
  const first = dayOf(now - ticketLifetime) - 1
  const names = await readdir(stateDir).catch(() => [])
  const days = names.flatMap((name) => (name.startsWith(prefix) ? [Number(name.slice(prefix.length))] : []))
  const over = days.filter((day) => Number.isInteger(day) && day < first)
  await Promise.all(over.map((day) => rm(join(stateDir, `${prefix}${day}`), { force: true }).catch(() => undefined)))
}

function dayOf(time: number): number {
  return Math.floor(time / secondsOfDay)
}
