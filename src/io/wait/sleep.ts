/** Only this thread knows this memory, so no wait on it is ever woken early. */
const unshared = new Int32Array(new SharedArrayBuffer(4))

/**
 * Stops this thread for `ms` milliseconds. Nothing else of the process runs meanwhile, so this is for fractions of a millisecond, or
 * for the start of a program. On Linux a sleep takes at least 0.1 ms; elsewhere it may take some ms.
 */
export function sleepSync(ms: number): void {
  Atomics.wait(unshared, 0, 0, ms)
}
