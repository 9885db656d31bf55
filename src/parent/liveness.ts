/**
 * Whether a process that carried a connection has just ended, asked when that connection's end has come. The system closes the
 * sockets of a process that is killed as if it had finished, and half a download then looks whole.
 *
 *     SIGKILL ── marked as ending (PF_EXITING) ── sockets closed: our end of file ── gone: our `exit` event
 */
import { readFileSync } from 'node:fs'
import { statFields } from '../io/files/process-stat.ts'

/** PF_EXITING of the kernel. It is set before the sockets are closed. */
const EXITING = 4

/** True if the process is ending or gone; undefined if this system does not tell. */
export function isEnding(pid: number): boolean | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    // State, parent, group, session, terminal, foreground group, flags.
    const flags = statFields(readFileSync(`/proc/${pid}/stat`, 'latin1'))[6]
    return (Number(flags) & EXITING) !== 0
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? true : undefined
  }
}

/** True if the process has children, as a wrapper script has, or if this system does not tell. */
export function hasChildren(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1') !== ''
  } catch {
    return true
  }
}
