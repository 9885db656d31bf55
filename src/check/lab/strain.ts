/**
 * How much of the time that passes is no fault of the program under test: that in which it wanted to run and had to wait for
 * a CPU. Linux counts it for each thread (the second number of /proc/…/schedstat, in nanoseconds); elsewhere all time counts.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** A wait is never longer than so many times what it was to be. */
const MOST = 5

/** Shorter waits, in milliseconds, are for events that must not happen: nothing is missing when they are over. */
const SHORT = 2_000

/** A time limit in milliseconds that count. */
export interface Clock {
  /** Milliseconds that are left; 0 once the time is over. */
  left(): number
}

export class Strain {
  /** True once a wait had to end before the programs had had their time: what was not seen then may still come. */
  exceeded = false
  /** Time that each process has waited for a CPU, in milliseconds; never less than before, though threads end. */
  readonly #waited = new Map<number | 'self', number>([['self', 0]])

  /** True once nothing is waited for any more. */
  over = false
  /** The functions that end the waits of this moment. */
  readonly waits: Set<() => void> = new Set()

  /** Ends all waits, and those that begin later. */
  end(): void {
    this.over = true
    for (const end of this.waits) end()
  }

  /** From here on the time that the process with this id waits for a CPU does not count. */
  watch(pid: number | undefined): void {
    if (pid !== undefined) this.#waited.set(pid, waitedBy(pid))
  }

  /**
   * Makes a clock of `ms` milliseconds that count, from now on. In a `dialogue` bytes pass through this process as well, so that what it has waited
   * does not count either.
   */
  clock(ms: number, dialogue = false): Clock {
    const start = performance.now()
    const before = this.#lost(dialogue)
    return {
      left: () => {
        const passed = performance.now() - start
        if (passed < ms) return ms - passed
        const whole = Math.min(ms + this.#lost(dialogue) - before, MOST * ms)
        if (passed >= whole && whole >= MOST * ms && ms >= SHORT) this.exceeded = true
        return Math.max(0, whole - passed)
      },
    }
  }

  #lost(dialogue: boolean): number {
    let sum = 0
    for (const [pid, before] of this.#waited) {
      const now = Math.max(before, waitedBy(pid))
      this.#waited.set(pid, now)
      if (dialogue || pid !== 'self') sum += now
    }
    return sum
  }
}

/** Returns the time of the thread that has waited most; 0 if the system does not count it. */
function waitedBy(pid: number | 'self'): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const waited = threads.map((id) =>
      Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'latin1').split(' ')[1]),
    )
    return Math.max(0, ...waited) / 1e6
  } catch {
    return 0
  }
}
