/**
 * What Linux says of a process in /proc/PID/stat: `PID (name) state parent group session …`, in which the name may hold spaces and
 * brackets.
 */
import { readFileSync } from 'node:fs'

/**
 * The process id that stands in the line, and the fields after the name: the state, then the ids of parent, group and session.
 * Undefined if there is no such process, or no /proc.
 */
export function processStat(entry: string | number): { readonly pid: number; readonly fields: string[] } | undefined {
  try {
    const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
    return { pid: Number.parseInt(stat, 10), fields: statFields(stat) }
  } catch {
    return undefined
  }
}

/** The fields after the name in the text of such a file. */
export function statFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}
