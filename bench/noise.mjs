// The CPU time that others used while something was measured.
//
//     /proc/stat       all processes of the machine, and what it stole from this guest
//     /proc/self/stat  this process, and its children that have ended: those of a case, once the case is over
import { readFileSync } from 'node:fs'

/** From this share of all cores on, a figure is not to be trusted. */
export const NOISY = 0.05

/** @typedef {{ all: number, busy: number, own: number }} CpuTimes in clock ticks */

/** @returns {CpuTimes} */
export function cpuTimes() {
  return readCpuTimes(readFileSync('/proc/stat', 'utf8'), readFileSync('/proc/self/stat', 'utf8'))
}

/**
 * @param {string} machine the text of /proc/stat
 * @param {string} self the text of /proc/self/stat
 * @returns {CpuTimes}
 */
export function readCpuTimes(machine, self) {
  const [user, nice, system, idle, wait, irq, softIrq, steal] = numbers(machine.split('\n')[0].replace(/^cpu\s+/, ''))
  // The name in parentheses may hold spaces; utime, stime, cutime and cstime are fields 14 to 17 of proc(5).
  const own = numbers(self.slice(self.lastIndexOf(')') + 2).replace(/^\S+\s+/, '')).slice(10, 14)
  const busy = user + nice + system + irq + softIrq + steal
  return { all: busy + idle + wait, busy, own: own.reduce((sum, ticks) => sum + ticks, 0) }
}

function numbers(text) {
  return text.trim().split(/\s+/).map(Number)
}

/**
 * The share of all cores that was used by others between two times, 0 to 1.
 * @param {CpuTimes} before
 * @param {CpuTimes} after
 */
export function shareOfOthers(before, after) {
  const all = after.all - before.all
  const others = after.busy - before.busy - (after.own - before.own)
  return all > 0 ? Math.min(1, Math.max(0, others / all)) : 0
}
