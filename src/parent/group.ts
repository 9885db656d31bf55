/**
 * The process group of a PT. The program that is started leads a group of its own, so a signal to the group reaches the PT
 * behind a wrapper script as well, and every helper that the PT has started.
 *
 *     kill(-pid)      pid ── sh wrapper.sh
 *                      └── the PT itself      ends too
 *
 * What a PT moved into another group or session is out of reach. Windows has no groups: there the program alone is ended.
 */
import { readdirSync } from 'node:fs'
import { processStat } from '../io/files/process-stat.ts'

/** Sends `signal` to every process of the group. Does nothing if none is left, or if the system does not permit it. */
export function signalGroup(pid: number, signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): void {
  send(pid, signal)
}

/** True while a process of the group runs. A process that has ended and is not yet reaped does not count, if the system tells. */
export function hasMembers(pid: number): boolean {
  if (process.platform === 'win32' || !send(pid, 0)) return false
  return process.platform !== 'linux' || runsInGroup(pid)
}

/** Looks at the processes of the group. In a container process 1 often reaps none, and kill() would then find the group for ever. */
function runsInGroup(group: number): boolean {
  try {
    return readdirSync('/proc').some((entry) => /^\d+$/.test(entry) && isRunningMember(entry, group))
  } catch {
    return true
  }
}

function isRunningMember(entry: string, group: number): boolean {
  const [state = '', , own] = processStat(entry)?.fields ?? []
  return Number(own) === group && !/[ZX]/.test(state)
}

/** Sends a signal; false if there was no process to send it to. */
function send(pid: number, signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL' | 0): boolean {
  try {
    return process.kill(process.platform === 'win32' ? pid : -pid, signal)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
