/**
 * The folder for a server's identity. It is worth more than a start: an unlikely place, such as the
 * current folder, is refused, and the error names --state-dir.
 */
import { statSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { isAbsolute, join, resolve, sep } from 'node:path'
import { UsageError } from '../usage.ts'

/**
 * `$STATE_DIRECTORY` of systemd, `$XDG_STATE_HOME/postern` or `~/.local/state/postern`, and `name` below it. Throws UsageError,
 * which names `option` as the way out.
 */
export function defaultStateDir(name: string, option = '--state-dir'): string {
  const { STATE_DIRECTORY, XDG_STATE_HOME } = process.env
  const [systemd = ''] = (STATE_DIRECTORY ?? '').split(':')
  if (isAbsolute(systemd)) return join(systemd, name)
  // Relative ones are to be passed over, says the XDG specification.
  if (XDG_STATE_HOME !== undefined && isAbsolute(XDG_STATE_HOME)) return join(XDG_STATE_HOME, 'postern', name)
  const noPlace = (why: string): UsageError =>
    new UsageError(`${why}, so there is no place to keep the bridge's identity: name one with ${option}`)
  return join(homeOr(noPlace), '.local', 'state', 'postern', name)
}

/** A state directory as it was written: relative to `folder`, or to the home with `~`. Throws an Error without the option's name. */
export function resolveStateDir(given: string, folder: string): string {
  if (given === '') throw new Error('it is empty')
  const [, user, rest] = /^~([^/\\]*)(.*)$/.exec(given) ?? []
  if (user === undefined || rest === undefined) return resolve(folder, given)
  // No shell has expanded it: in a file, after an equals sign, in quotation marks.
  if (user !== '') throw new Error(`write the whole path in place of ~${user}`)
  const home = homeOr((why) => new Error(`${why}; write the whole path in place of ~`))
  return join(home, rest)
}

function homeOr(fail: (why: string) => Error): string {
  const home = homeOfSystem()
  if (home === undefined) throw fail('HOME is not set, and this user has no entry in the system')
  // Containers have / for want of another, and files there are gone with them.
  if (!isAbsolute(home) || resolve(home) === resolve('/')) throw fail(`the home is ${JSON.stringify(home)}`)
  return home
}

/**
 * Why `path`, if it lies below the home, is no place for an identity: services have homes such as /nonexistent, which root would
 * make. Asked at the start, as a file of tunnels may be checked on another machine.
 */
export function whyNoHome(path: string): string | undefined {
  const home = homeOfSystem()
  if (home === undefined || !path.startsWith(join(home, sep))) return undefined
  return statSync(home, { throwIfNoEntry: false })?.isDirectory() === true ? undefined : `the home ${home} is no folder`
}

/** `$HOME`; if it is empty or not set, what the system knows of the user, which is nothing if the user has no name. */
function homeOfSystem(): string | undefined {
  try {
    return process.env['HOME'] === '' ? userInfo().homedir : homedir()
  } catch {
    return undefined
  }
}
