/**
 * Files below the state directory: readable by their owner only, and replaced as a whole or not at all.
 */
import { randomBytes } from 'node:crypto'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { lstat, open, readFile, rename, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { PtError } from '../error.ts'

/**
 * The text of a file, or undefined where there is none. Rejects with PT_STATE where there is one that cannot be read: a
 * caller that took it for missing would write over an identity.
 */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw stateError(path, 'cannot be read', error)
  }
}

/**
 * Writes it with mode 0600, by way of a second file that then takes its place; one that says the same already is left alone, as
 * to wait for the disk is most of a start. Rejects with PT_STATE.
 */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  if (await isThere(path, text)) return
  const draft = draftOf(path)
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw stateError(path, 'cannot be written', error)
  }
}

async function isThere(path: string, text: string): Promise<boolean> {
  try {
    const file = await lstat(path)
    return file.isFile() && (file.mode & 0o777) === 0o600 && (await readFile(path, 'utf8')) === text
  } catch {
    return false
  }
}

/**
 * The same at once, and without waiting for the disk: for what may be lost when the power goes, and is learned where nothing can
 * wait. Throws PT_STATE.
 */
export function writePrivateFileSync(path: string, text: string): void {
  const draft = draftOf(path)
  try {
    writeFileSync(draft, text, { flag: 'wx', mode: 0o600 })
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw stateError(path, 'cannot be written', error)
  }
}

function draftOf(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.tmp`
}

/** What is wrong with a state file. Only its name is said: the folder is the operator's, and known. */
export function stateError(path: string, why: string, cause?: unknown): PtError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  const suffix = code === undefined ? '' : ` (${code})`
  return new PtError('PT_STATE', `state file ${basename(path)} ${why}${suffix}`, { cause })
}
