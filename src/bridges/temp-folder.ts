/**
 * A folder for what transports keep, if the caller has named none: made when it is first asked for, as most transports keep
 * nothing, and removed when it is given up or when the process exits.
 *
 *     <temporary directory>/postern-<process id>-<6 letters>
 *
 * A process that is killed leaves its folder behind; the next one that makes a folder removes it.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PtError } from '../error.ts'
import { isRunning } from '../io/files/drafts.ts'

/** The folders that are there now. One listener for all of them is on the process while there are any. */
const folders = new Set<string>()

function removeAll(): void {
  for (const folder of folders) removeIfPossible(folder)
}

function removeIfPossible(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch {
    // The folder is another user's, or a PT that is ending as well is writing there.
  }
}

export class TempFolder {
  #path: string | undefined

  /** An absolute path; the folder is there, with mode 0700. Throws PT_STATE if it cannot be made. */
  get path(): string {
    this.#path ??= make()
    return this.#path
  }

  async remove(): Promise<void> {
    const path = this.#path
    if (path === undefined) return
    await rm(path, { recursive: true, force: true })
    folders.delete(path)
    if (folders.size === 0) process.off('exit', removeAll)
  }
}

function make(): string {
  let path: string
  try {
    const parent = tmpdir()
    removeLeftBehind(parent)
    path = mkdtempSync(join(parent, `postern-${process.pid}-`))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new PtError(
      'PT_STATE',
      `the transport needs a folder, and none can be made in the temporary directory (${code}): the option stateDir names one`,
      { cause: error },
    )
  }
  if (folders.size === 0) process.on('exit', removeAll)
  folders.add(path)
  return path
}

function removeLeftBehind(parent: string): void {
  for (const name of readdirSync(parent)) {
    const [, pid] = /^postern-(\d{1,10})-[A-Za-z0-9]{6}$/.exec(name) ?? []
    if (pid !== undefined && !isRunning(Number(pid))) removeIfPossible(join(parent, name))
  }
}
