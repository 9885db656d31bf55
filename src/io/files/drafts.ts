/**
 * Drafts: a file is written whole under another name before it takes its place.
 *
 *     <file>.<process id>-<12 hex digits>.tmp
 *
 * A process that is killed leaves its draft behind, and a draft of an identity holds its keys. So each start removes the
 * drafts of processes that are gone, and leaves alone those of a process that is still at work beside it.
 */
import { randomBytes } from 'node:crypto'
import { readdir, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { placeOf } from './in-place.ts'

/** Earlier versions wrote drafts without the process id. */
const draftName = /^(?:(\d{1,10})-)?[0-9a-f]{12}\.tmp$/

/** A process id is given to another program sooner or later: a draft as old as this (ms) is left over, whatever process has the id. */
const longAgo = 3_600_000

/** The drafts that this process is writing now. */
const ours = new Set<string>()

/**
 * Calls `use` with the path of a draft for `path`, and removes the draft in the end if it is still there. The draft is for
 * `use` to create, with the flag `wx`.
 */
export async function withDraft<T>(path: string, use: (draft: string) => Promise<T>): Promise<T> {
  const draft = `${path}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`
  ours.add(draft)
  try {
    return await use(draft)
  } finally {
    await rm(draft, { force: true }).catch(() => undefined)
    ours.delete(draft)
  }
}

/** Removes the drafts for `path` that processes left behind which were killed. What cannot be removed stays. */
export async function clearDrafts(path: string): Promise<void> {
  // A draft lies beside what it is to replace, which a link may put into another folder.
  const { path: place } = await placeOf(path).catch(() => ({ path }))
  const [folder, prefix] = [dirname(place), `${basename(place)}.`]
  const names = await readdir(folder).catch(() => [])
  const left = names.filter((name) => name.startsWith(prefix) && draftName.test(name.slice(prefix.length)))
  await Promise.all(
    left.map(async (name) => {
      const draft = join(folder, name)
      const [, pid] = draftName.exec(name.slice(prefix.length))!
      if (pid === undefined || !(await isInUse(draft, Number(pid))))
        await rm(draft, { force: true }).catch(() => undefined)
    }),
  )
}

async function isInUse(draft: string, pid: number): Promise<boolean> {
  if (pid === process.pid) return ours.has(draft)
  if (!isRunning(pid)) return false
  const { mtimeMs } = await stat(draft).catch(() => ({ mtimeMs: 0 }))
  return Math.abs(Date.now() - mtimeMs) < longAgo
}

/** True if there is a process of this id, of any user. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
