/**
 * The MACs of all hellos that a server has taken and that could be played back: those of the hours that it still accepts.
 *
 *     scramblesuit_replays   one line each: <hour> <MAC, 32 hex digits>
 *
 * It outlives a restart. A ticket played back behind one would otherwise start a second session under the same keys, whose
 * keystream is then known; and a prober would get an answer to any hello it has seen. Only holders of the password or of a
 * ticket can add to it.
 */
import { appendFile } from 'node:fs/promises'
import { readPrivateFile, stateError, writePrivateFile } from '../private-file.ts'

/** Beyond these the oldest are forgotten. As many as obfs4proxy remembers for obfs4. */
const capacity = 102_400

export interface Replays {
  /** Remembers a MAC of the hour `epoch`, at the hour `now`; false where it is known already. */
  admit(mac: Uint8Array, epoch: number, now: number): boolean
  /** Resolves when all that was admitted is on the disk; rejects with PT_STATE when it could not be written. */
  saved(): Promise<void>
}

/** Opens the table in the file `path` at the hour `now`. Rejects with PT_STATE where the file is something else. */
export async function openReplays(path: string, now: number): Promise<Replays> {
  const known = parse(path, (await readPrivateFile(path)) ?? '')
  let lines = 0
  let pending: string[] = []
  let writing = Promise.resolve()

  const forget = (now: number): void => {
    for (const [mac, epoch] of known) {
      // Entries come nearly in the order of their hours; one that is an hour early holds up those behind it for as long.
      if (epoch >= now - 1 && known.size <= capacity) break
      known.delete(mac)
    }
  }
  const rewrite = async (): Promise<void> => {
    lines = known.size
    await writePrivateFile(path, Array.from(known, ([mac, epoch]) => format(mac, epoch)).join(''))
  }
  const write = async (): Promise<void> => {
    if (pending.length === 0) return
    const batch = pending
    pending = []
    lines += batch.length
    try {
      if (lines > 2 * known.size + 1000) await rewrite()
      else await append(path, batch.join(''))
    } catch (error) {
      pending = [...batch, ...pending]
      throw error
    }
  }

  forget(now)
  await rewrite()
  return {
    admit(mac, epoch, now) {
      forget(now)
      const id = Buffer.from(mac).toString('hex')
      if (known.has(id)) return false
      known.set(id, epoch)
      pending.push(format(id, epoch))
      return true
    },
    saved() {
      writing = writing.catch(() => undefined).then(write)
      return writing
    },
  }
}

function format(mac: string, epoch: number): string {
  return `${epoch} ${mac}\n`
}

async function append(path: string, text: string): Promise<void> {
  try {
    await appendFile(path, text, { mode: 0o600, flush: true })
  } catch (error) {
    throw stateError(path, 'cannot be written', error)
  }
}

/** A last line without its end was being written when the power went; what it says was not admitted yet. */
function parse(path: string, text: string): Map<string, number> {
  const known = new Map<string, number>()
  for (const line of text.split('\n').slice(0, -1)) {
    const [, epoch, mac] = /^(\d{1,9}) ([0-9a-f]{32})$/.exec(line) ?? []
    if (epoch === undefined || mac === undefined) throw stateError(path, 'holds a line that is no hour and MAC')
    known.set(mac, Number(epoch))
  }
  return known
}
