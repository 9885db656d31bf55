const nobody = new Int32Array(new SharedArrayBuffer(4))

/** Nothing of this thread runs for so long: at least a tenth of a millisecond on Linux, and maybe some of them elsewhere. */
export function sleepSync(ms: number): void {
  Atomics.wait(nobody, 0, 0, ms)
}
