/**
 * How much of the time that passes is no fault of the program under test: the time in which it, or this process, wanted to
 * run and had to wait for a CPU. Linux counts it for each thread (the second number of /proc/…/schedstat, in nanoseconds);
 * elsewhere only what is waited for counts.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** A wait is never longer than so many times what it was to be. */
const MOST = 5

/** Shorter waits, in milliseconds, are for what must not come: nothing is missing when they are over. */
const SHORT = 1_000

/** Time that counts. */
export interface Clock {
  /** Milliseconds that are left; 0 once the time is over. */
  left(): number
}

export class Strain {
  /** True once a wait had to end before the programs had had their time: what was not seen then may still come. */
  exceeded = false
  /** Time that each process has waited for a CPU, in milliseconds; never less than before, though threads end. */
  readonly #waited = new Map<string, number>([['self', 0]])

  /** From here on the time that this process waits for a CPU does not count. */
  watch(pid: number | undefined): void {
    if (pid !== undefined) this.#waited.set(String(pid), waitedBy(String(pid)))
  }

  /** `ms` milliseconds from now that count. */
  clock(ms: number): Clock {
    const start = performance.now()
    const before = this.#lost()
    return {
      left: () => {
        const passed = performance.now() - start
        if (passed < ms) return ms - passed
        const whole = Math.min(ms + this.#lost() - before, MOST * ms)
        if (passed >= whole && whole >= MOST * ms && ms >= SHORT) this.exceeded = true
        return Math.max(0, whole - passed)
      },
    }
  }

  #lost(): number {
    let sum = 0
    for (const [pid, before] of this.#waited) {
      const now = Math.max(before, waitedBy(pid))
      this.#waited.set(pid, now)
      sum += now
    }
    return sum
  }
}

/** What the thread has waited that has waited most; 0 where nobody counts it. */
function waitedBy(pid: string): number {
  try {
    const threads =
      pid === 'self' ? ['/proc/self'] : readdirSync(`/proc/${pid}/task`).map((id) => `/proc/${pid}/task/${id}`)
    const waited = threads.map((thread) => Number(readFileSync(`${thread}/schedstat`, 'latin1').split(' ')[1]))
    return Math.max(0, ...waited) / 1e6
  } catch {
    return 0
  }
}
