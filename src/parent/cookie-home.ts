/**
 * The folder that keeps the cookie of an Extended ORPort: the state directory of the PT. Folders for temporary files would not
 * do: they are cleared of what was not used for some days, and a server runs for months.
 *
 *     <state directory>/extended_orport_auth_cookie.<process id>.<random>
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'

const NAME = 'extended_orport_auth_cookie'

export interface CookieHome {
  readonly file: string
  /** Makes the folder if it is gone. */
  make(): Promise<void>
  /** Removes everything here that is not the PT's. */
  remove(): Promise<void>
}

/** Makes the home in `stateDir`, which is made if it is missing. Clears it of the cookies of processes that were killed. */
export async function homeIn(stateDir: string): Promise<CookieHome> {
  const make = async (): Promise<void> => void (await mkdir(stateDir, { recursive: true, mode: 0o700 }))
  if (!isAbsolute(stateDir)) throw new Error('the state directory is no absolute path')
  await make()
  await access(stateDir, constants.W_OK | constants.X_OK)
  await removeLeftovers(stateDir)
  const file = join(stateDir, `${NAME}.${process.pid}.${randomBytes(8).toString('hex')}`)
  return { file, make, remove: () => rm(file, { force: true }) }
}

/** Makes the home in a folder of its own, if the state directory cannot be written to: a PT with a finished state needs no more. */
export async function temporaryHome(): Promise<CookieHome> {
  // mkdtemp makes folders with mode 0700, so no other user can ever read the cookie.
  const file = join(await mkdtemp(join(tmpdir(), 'postern-')), NAME)
  return {
    file,
    make: async () => void (await mkdir(dirname(file), { recursive: true, mode: 0o700 })),
    remove: () => rm(dirname(file), { recursive: true, force: true }),
  }
}

/** Removes the cookies of processes that have gone. A cookie that is removed by mistake is written again. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    const pid = /^extended_orport_auth_cookie\.(\d+)\.[0-9a-f]{16}(?:\.[0-9a-f-]+\.tmp)?$/.exec(entry)?.[1]
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(folder, entry), { force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
