/**
 * The ladder that ends a PT (STOP-1). Section "Pluggable Transport Shutdown".
 *
 *     close stdin ── wait ── SIGTERM ── wait ── SIGKILL ── wait ── given up
 *
 * Signals go to the process group, and each step waits for all of the group: behind a wrapper script it is not the program
 * which was started that serves. Windows has no signals: there the second step is TerminateProcess already. A program that runs as
 * another user, or that hangs in the system, may survive all of it; then it is left, and that is said.
 */
import { performance } from 'node:perf_hooks'
import { PtError } from '../error.ts'
import { delay } from '../io/wait/deadline.ts'
import type { Exit } from './events.ts'
import type { Child } from './spawn.ts'
import { within } from '../io/wait/within.ts'

/**
 * How a PT ended, and the step of the ladder that it took until nothing of it was left: `exited` if it had ended by itself, `none` if it
 * could not be ended and still runs.
 */
export interface ExitStatus extends Exit {
  readonly step: 'exited' | 'stdin' | 'SIGTERM' | 'SIGKILL' | 'none'
}

/** Milliseconds between two looks for offspring that has outlived its program. */
const LOOK = 100

/** How long a program that was killed is waited for, and its offspring after it, in milliseconds. */
const KILLING = 5_000
const KILLING_OFFSPRING = 1_000

/** Ends the process and resolves when it is gone or has to be left; `stopTimeout` is the wait of each step, in milliseconds. */
export async function stopChild(child: Child, stopTimeout: number): Promise<ExitStatus> {
  const gone = await within(child.exited, 0)
  // A wrapper script may have ended by SIGINT, and the PT that it started still carries.
  if (gone !== undefined && !child.hasOffspring) return { ...gone, step: 'exited' }
  child.closeStdin()
  const asked = await endOf(child, stopTimeout)
  if (asked !== undefined) return { ...asked, step: 'stdin' }
  child.kill('SIGTERM')
  const told = await endOf(child, stopTimeout)
  if (told !== undefined) return { ...told, step: 'SIGTERM' }
  return await killChild(child)
}

/** The last step alone, for a PT that broke the protocol: it gets no time to do anything else. */
export async function killChild(child: Child): Promise<ExitStatus> {
  child.kill('SIGKILL')
  const exit = await within(child.exited, KILLING)
  if (exit === undefined) {
    child.leave()
    return { code: null, signal: null, step: 'none' }
  }
  await endOf(child, KILLING_OFFSPRING)
  return { ...exit, step: 'SIGKILL' }
}

/** PT_UNSTOPPABLE, for a program that could not be ended. */
export function unstoppable(name: string, pid: number): PtError {
  const why = 'it belongs to another user, or hangs in the system'
  return new PtError('PT_UNSTOPPABLE', `${name}: process ${pid} could not be ended, not by SIGKILL either: ${why}`)
}

/** How the program ended, once it and its offspring are gone; undefined after `ms` milliseconds. */
async function endOf(child: Child, ms: number): Promise<Exit | undefined> {
  const limit = performance.now() + ms
  const exit = await within(child.exited, ms)
  if (exit === undefined) return undefined
  while (child.hasOffspring) {
    if (performance.now() >= limit) return undefined
    await delay(LOOK)
  }
  return exit
}
