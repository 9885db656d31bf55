/** Where a server's identity is kept when nobody says: where the system keeps such things. */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** `$STATE_DIRECTORY` of systemd, `$XDG_STATE_HOME/postern` or `~/.local/state/postern`, and `name` below it. */
export function defaultStateDir(name: string): string {
  const { STATE_DIRECTORY, XDG_STATE_HOME } = process.env
  const systemd = STATE_DIRECTORY?.split(':')[0]
  if (systemd !== undefined && systemd !== '') return join(systemd, name)
  const home = XDG_STATE_HOME?.startsWith('/') === true ? XDG_STATE_HOME : join(homedir(), '.local', 'state')
  return resolve(home, 'postern', name)
}
