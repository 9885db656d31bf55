/** TOR_PT_STATE_LOCATION: made on demand, for its owner alone (ENV-5). Transports write there and nowhere else (ENV-6). */
import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { envError } from '../ipc/index.ts'

/** What the system says if it does not let us write, rather than that the path is wrong. */
const forbidden: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT'])

/**
 * Makes the directory, and those above it that are missing, with mode 0700. Throws PT_ENV if it cannot be made. Returns why
 * nothing can be written there, if so: that concerns the transports that have to write, and no others.
 *
 * A `client` starts without a directory too, if the system forbids to make it: most transports keep nothing there, and a machine
 * whose disk has become read-only is not to lose its way out.
 */
export function makeStateDir(path: string, role: 'client' | 'server'): string | undefined {
  try {
    makeDirectories(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (role === 'client' && forbidden.has(code)) return `cannot be made: ${code}`
    const why = code === 'EEXIST' || code === 'ENOTDIR' ? 'a file is in its way' : message
    throw envError('TOR_PT_STATE_LOCATION', `cannot be used as a directory: ${why}`, error)
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
    return undefined
  } catch (error) {
    return `cannot be written: ${(error as NodeJS.ErrnoException).code}`
  }
}

/** Makes a folder and those above it. Node's `recursive` tries for ever if the system says ENOENT in a directory that is there, as Linux does below /proc. */
function makeDirectories(path: string): void {
  if (isDirectory(path)) return
  const above = dirname(path)
  try {
    return mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another PT of the same parent may have been faster.
    if (isDirectory(path)) return
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === path || isDirectory(above)) throw error
  }
  makeDirectories(above)
  makeDirectories(path)
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
