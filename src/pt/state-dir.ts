/** TOR_PT_STATE_LOCATION: made on demand, for its owner alone (ENV-5). Transports write there and nowhere else (ENV-6). */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { envError } from '../ipc/index.ts'

/** Makes the directory, and those above it that are missing, with mode 0700. Throws PT_ENV where it cannot be used. */
export function makeStateDir(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'EEXIST' || code === 'ENOTDIR' ? 'a file is in its way' : message
    throw envError('TOR_PT_STATE_LOCATION', `cannot be used as a directory: ${why}`, error)
  }
}
