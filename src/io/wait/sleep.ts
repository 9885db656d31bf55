const nobody = new Int32Array(new SharedArrayBuffer(4))

/**
 * Stops this thread for `ms` milliseconds: nothing else of the process runs meanwhile, so it is for fractions of them, or for a start. On
 * Linux a sleep is at least 0.1 ms long; elsewhere it may be some ms.
 */
export function sleepSync(ms: number): void {
  Atomics.wait(nobody, 0, 0, ms)
}
