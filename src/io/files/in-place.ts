/**
 * Files that cannot be replaced and are written in place: the target of a link, a mount, a file in a folder that is not ours to write.
 */
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { lstat, open, readlink, realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'

/** As many as Linux follows. */
const maxLinks = 40

export interface Place {
  /** The path of the file that holds the bytes, or will hold them. */
  readonly path: string
  /** A link led there. */
  readonly linked: boolean
}

/**
 * Follows the links at `path`, if they were made by this user or by root. A link of anybody else is not
 * followed: it may have been put there so that we write over a file of ours.
 */
export async function placeOf(path: string): Promise<Place> {
  let at = path
  for (let links = 0; links <= maxLinks; links++) {
    const stats = await lstat(at).catch(unlessMissing)
    if (stats?.isSymbolicLink() !== true || !isOurs(stats.uid)) return { path: at, linked: links > 0 }
    const target = await readlink(at)
    const raw = isAbsolute(target) ? target : `${dirname(at)}/${target}`
    // Folders on the way may be links too, and `..` after a link starts from its target: only the system can tell.
    at = join(await realpath(dirname(raw)), basename(raw))
  }
  throw Object.assign(new Error('too many links'), { code: 'ELOOP' })
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** True for what this user or root owns. Windows has no such numbers, and its links need a privilege to be made. */
export function isOurs(uid: number): boolean {
  return process.geteuid === undefined || uid === 0 || uid === process.geteuid()
}

/** The flags of `open` with which a link at the path is an error. */
export const noLink: number = constants.O_NOFOLLOW ?? 0

/**
 * Writes `text` over what the file at `path` holds, so that a process killed at any moment leaves the old text or the new one,
 * perhaps with spaces at its end, and a full disk leaves the old one. That holds for texts within one page of memory, as
 * the system writes such a one as a whole.
 */
export async function writeInPlace(path: string, text: string): Promise<void> {
  const file = await open(path, constants.O_RDWR | noLink)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw Object.assign(new Error('no file'), { code: 'EINVAL' })
    const bytes = Buffer.from(text)
    const size = Math.max(bytes.length, stats.size)
    // The room that is missing is asked for first: if there is none, nothing has happened yet.
    await grow(file, stats.size, size)
    await writeAll(file, Buffer.concat([bytes, Buffer.alloc(size - bytes.length, ' ')]), 0)
    await file.truncate(bytes.length)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function grow(file: FileHandle, from: number, to: number): Promise<void> {
  try {
    await writeAll(file, Buffer.alloc(to - from, ' '), from)
  } catch (error) {
    await file.truncate(from)
    throw error
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at)
    at += bytesWritten
  }
}
