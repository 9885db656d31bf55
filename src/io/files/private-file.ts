/**
 * Files below the state directory: readable by their owner only, and replaced as a whole or not at all.
 *
 *     first       draft ── fsync ── link ── fsync of the folder       of two processes that do it, one wins and both know
 *     later       draft ── fsync ── rename ── fsync of the folder
 *     in place    a mount, the target of a link, a folder that is not ours to write (in-place.ts)
 */
import { constants } from 'node:fs'
import { link, lstat, open, readFile, rename, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { PtError } from '../../error.ts'
import { withDraft } from './drafts.ts'
import { isOurs, noLink, placeOf, writeInPlace } from './in-place.ts'

/**
 * The text of a file, or undefined if there is none. Rejects with PT_STATE if there is one that cannot be read: a caller that
 * took it for missing would write over an identity.
 */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw stateError(path, 'cannot be read', error)
  }
}

/**
 * A sentence for the operator if every user of this machine can read or change the file, as after a copy without its mode; else
 * undefined. What it says of the past stays true if the file is replaced: another user may know the secret in it.
 */
export async function exposureOf(path: string): Promise<string | undefined> {
  // Windows has no such modes; Node makes up 0666.
  if (process.platform === 'win32') return undefined
  const [file, folder] = await Promise.all([modeOf(path), modeOf(dirname(path))])
  const open = (file & 0o006) !== 0 && (folder & 0o001) !== 0
  const why = `state file ${basename(path)} has mode 0${(file & 0o777).toString(8)}`
  return open ? `${why}: every user of this machine could read or change it, and may know its secrets` : undefined
}

/** 0 if there is no such file. */
async function modeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ mode }) => mode,
    () => 0,
  )
}

/** The end of a file, and which file that was: another one has another `id`. */
export interface Tail {
  readonly bytes: Buffer
  /** Of the file as a whole. */
  readonly size: number
  readonly id: number
}

/** What the file holds from the byte `start` on, which is nothing if it is shorter or missing. Rejects with PT_STATE. */
export async function readPrivateTail(path: string, start: number): Promise<Tail> {
  try {
    const file = await open(path, 'r')
    try {
      const { ino: id, size } = await file.stat()
      const bytes = Buffer.alloc(Math.max(0, size - start))
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
      return { bytes: bytes.subarray(0, bytesRead), size, id }
    } finally {
      await file.close()
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { bytes: Buffer.alloc(0), size: 0, id: -1 }
    throw stateError(path, 'cannot be read', error)
  }
}

export interface WriteOptions {
  /** Resolve only when the text survives a loss of power. Default: true. */
  readonly durable?: boolean
}

/**
 * Writes `text` with mode 0600. A file that says the same already is left alone, as to wait for the disk is most of a start.
 * Rejects with PT_STATE, and then the file is as it was.
 */
export async function writePrivateFile(
  path: string,
  text: string,
  { durable = true }: WriteOptions = {},
): Promise<void> {
  try {
    const place = await placeOf(path)
    const there = await lookAt(place.path)
    if (there?.text === text && (there.mode === 0o600 || place.linked)) return
    if (place.linked && there !== undefined) return await writeInPlace(place.path, text)
    await replace(place.path, text, durable).catch(async (error: unknown) => {
      if (!cannotReplace(error, there)) throw error
      if (there.text !== text) await writeInPlace(place.path, text)
    })
  } catch (error) {
    throw stateError(path, 'cannot be written', error)
  }
}

/**
 * Makes the file with mode 0600 if there is none, and resolves with what it holds then: `text`, or what another process has
 * made in the meantime. Rejects with PT_STATE.
 */
export async function createPrivateFile(path: string, text: string): Promise<string> {
  try {
    const place = await placeOf(path)
    return await drafted(place.path, text, true, async (draft) => {
      try {
        await link(draft, place.path)
      } catch {
        // Another process was first, or the file system has no hard links, or a link of somebody else stands in the way.
        const other = await lstat(place.path).catch(() => undefined)
        if (other !== undefined && !other.isSymbolicLink()) return await readFile(place.path, 'utf8')
        await rename(draft, place.path)
      }
      return text
    })
  } catch (error) {
    throw stateError(path, 'cannot be written', error)
  }
}

/**
 * Appends lines, each with its NL, to a file that is made with mode 0600 if it is missing, and resolves when they are on the
 * disk. They begin on a line of their own, even if an earlier append was cut off by a full disk. Rejects with PT_STATE.
 */
export async function appendPrivateLines(path: string, lines: string): Promise<void> {
  try {
    const { O_RDWR, O_APPEND, O_CREAT } = constants
    const place = await placeOf(path)
    const file = await open(place.path, O_RDWR | O_APPEND | O_CREAT | noLink, 0o600)
    let size: number
    try {
      size = (await file.stat()).size
      const last = Buffer.alloc(1)
      if (size > 0) await file.read(last, 0, 1, size - 1)
      // This is one write, which the system puts after everything that other processes have written until then.
      await file.appendFile(size > 0 && last.toString() !== '\n' ? `\n${lines}` : lines)
      await file.datasync()
    } finally {
      await file.close()
    }
    if (size === 0) await syncFolder(place.path)
  } catch (error) {
    throw stateError(path, 'cannot be written', error)
  }
}

interface There {
  readonly text: string
  readonly mode: number
  readonly uid: number
}

/** The file at `path` itself, and not one that a link leads to; undefined if that is none. */
async function lookAt(path: string): Promise<There | undefined> {
  try {
    const stats = await lstat(path)
    return stats.isFile() ? { text: await readFile(path, 'utf8'), mode: stats.mode & 0o777, uid: stats.uid } : undefined
  } catch {
    return undefined
  }
}

/** How often a draft is made that vanishes: a process that sees other process ids than ours may take ours for left behind. */
const attempts = 3

/** Calls `use` with a draft that holds `text`. */
async function drafted<T>(
  path: string,
  text: string,
  durable: boolean,
  use: (draft: string) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await withDraft(path, async (draft) => {
        const file = await open(draft, 'wx', 0o600)
        try {
          await file.writeFile(text)
          if (durable) await file.sync()
        } finally {
          await file.close()
        }
        return await use(draft)
      })
      if (durable) await syncFolder(path)
      return result
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || (error as NodeJS.ErrnoException).syscall === 'open' || attempt === attempts)
        throw error
    }
  }
}

async function replace(path: string, text: string, durable: boolean): Promise<void> {
  await drafted(path, text, durable, (draft) => rename(draft, path))
}

/** The new name is on the disk when its folder is. Windows opens no folders, and some file systems sync none. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(dirname(path), 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  } catch {
    // The file itself is written; there is nothing else to be done.
  }
}

/**
 * True if `error` says that the file that is `there` cannot be replaced, and may be written as it lies: it is a mount, or in a
 * folder that we cannot write. A file of another user in such a folder is not: its owner would read our keys.
 */
function cannotReplace(error: unknown, there: There | undefined): there is There {
  if (there === undefined) return false
  const code = codeOf(error)
  return code === 'EBUSY' || ((code === 'EACCES' || code === 'EPERM' || code === 'EROFS') && isOurs(there.uid))
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}

/** What is wrong with a state file. Only its name is said: the folder is the operator's, and known. */
export function stateError(path: string, why: string, cause?: unknown): PtError {
  const code = codeOf(cause)
  return new PtError('PT_STATE', `state file ${basename(path)} ${why}${code === undefined ? '' : ` (${code})`}`, {
    cause,
  })
}
