/**
 * Results of node:crypto that nothing needs any more, on a Node that cannot give their memory back (before 22). Its collector lets
 * them lie until there are tens of MiB of them, in no cache, and then marks the whole heap. A collection of young objects alone after
 * each 2 MB of them is quick, as nearly nothing there is alive.
 */
const MOST = 2_000_000

let collect: (() => void) | undefined
let length = 0

/** Says how young objects are collected. Only a process of our own commands says so, and no library that somebody else runs. */
export function collectYoungBy(how: () => void): void {
  collect = how
}

/** Counts so many bytes as needed no more. */
export function leaveYoung(bytes: number): void {
  if (collect === undefined) return
  length += bytes
  if (length < MOST) return
  length = 0
  collect()
}
