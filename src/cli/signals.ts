/** Signals that end a command: the first one gently, another one at once. */

/** Signals that come within so many ms are one: timeout, npm and others pass on what the whole process group has got already. */
const SAME_SIGNAL = 1_000

/** Calls `stop` at the first of `signals`; another one ends the process, with status 1. Returns what ends the listening. */
export function atFirstSignal(signals: readonly NodeJS.Signals[], stop: (signal: NodeJS.Signals) => void): () => void {
  let first: number | undefined
  const hear = (signal: NodeJS.Signals): void => {
    if (first !== undefined && performance.now() - first > SAME_SIGNAL) process.exit(1)
    if (first === undefined) stop(signal)
    first ??= performance.now()
  }
  for (const signal of signals) process.on(signal, hear)
  return () => {
    for (const signal of signals) process.off(signal, hear)
  }
}
