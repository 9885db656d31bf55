// The resident memory of a process and its children.
import { readdirSync, readFileSync } from 'node:fs'

const KIB_PER_MIB = 1024

/**
 * In MiB. Pages that children share with their parent count twice; none of the candidates has children that stay.
 * @param {number} pid
 * @returns {number}
 */
export function residentMiB(pid) {
  const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  return kib / KIB_PER_MIB + childrenOf(pid).reduce((sum, child) => sum + residentMiB(child), 0)
}

function childrenOf(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`)
  const lists = tasks.map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8'))
  return lists
    .flatMap((list) => list.trim().split(/\s+/))
    .filter(Boolean)
    .map(Number)
}
