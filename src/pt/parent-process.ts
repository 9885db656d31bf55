/**
 * Who started this process, and whether it is still there (STOP-4). Section "Pluggable Transport Shutdown".
 *
 *     parent ── PT                  the parent dies: the PT is handed to another process, and process.ppid changes
 *     (parent) ─────── PT           the parent died before our first line: process.ppid never was the parent's
 *
 * Node needs some 40 ms until the first line of a program runs, so the second case is real. Its signs: the PT is in a session
 * that is neither its own nor that of process.ppid, which no child of that process can be in; or stdout has no reader. The
 * second sign counts only if the first cannot decide, because a parent may well close stdout, and only while the PT starts.
 * A parent that really is process 1, as in a container, shows neither sign.
 */
import { processStat } from '../io/files/process-stat.ts'

/** Taken as this module is loaded; a program that is a PT imports it before anything else. */
const parent: number = process.ppid
const session: 'theirs' | 'strange' | 'unknown' = whoseSession()

/** False as soon as the process that started this one is gone. `unread` says that a write to stdout found no reader. */
export function parentIsAlive(unread: boolean): boolean {
  if (session === 'strange' || (session === 'unknown' && unread)) return false
  if (process.platform !== 'win32') return process.ppid === parent
  try {
    return process.kill(parent, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A child is in the session of its parent, or has made one of its own and leads it: then nothing can be told. */
function whoseSession(): typeof session {
  if (process.platform !== 'linux') return 'unknown'
  const own = statusOf('self')
  const theirs = statusOf(String(parent))
  // In a namespace of processes with another one's /proc the numbers mean other processes.
  if (own === undefined || theirs === undefined || own.pid !== process.pid || own.parent !== parent) return 'unknown'
  if (own.session === own.pid) return 'unknown'
  if (own.session !== theirs.session) return 'strange'
  return parent === 1 ? 'unknown' : 'theirs'
}

interface Status {
  readonly pid: number
  readonly parent: number
  readonly session: number
}

function statusOf(entry: string): Status | undefined {
  const stat = processStat(entry)
  if (stat === undefined) return undefined
  const [, parent, , session] = stat.fields
  return { pid: stat.pid, parent: Number(parent), session: Number(session) }
}
