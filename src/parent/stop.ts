/**
 * The ladder that ends a PT (STOP-1). Section "Pluggable Transport Shutdown".
 *
 *     close stdin ── wait ── SIGTERM ── wait ── SIGKILL
 *
 * Windows has no signals: there the second step is TerminateProcess already.
 */
import type { Exit } from './events.ts'
import type { Child } from './spawn.ts'

/** How a PT ended, and the step of the ladder that it took; `exited` where it had ended by itself. */
export interface ExitStatus extends Exit {
  readonly step: 'exited' | 'stdin' | 'SIGTERM' | 'SIGKILL'
}

/** Ends the process and resolves when it is gone; `stopTimeout` is the wait of each step, in milliseconds. */
export async function stopChild(child: Child, stopTimeout: number): Promise<ExitStatus> {
  const gone = await within(child.exited, 0)
  if (gone !== undefined) return { ...gone, step: 'exited' }
  child.closeStdin()
  const asked = await within(child.exited, stopTimeout)
  if (asked !== undefined) return { ...asked, step: 'stdin' }
  child.kill('SIGTERM')
  const told = await within(child.exited, stopTimeout)
  if (told !== undefined) return { ...told, step: 'SIGTERM' }
  return await killChild(child)
}

/** The last step alone, for a PT that broke the protocol: what it does next is not to be waited for. */
export async function killChild(child: Child): Promise<ExitStatus> {
  child.kill('SIGKILL')
  return { ...(await child.exited), step: 'SIGKILL' }
}

function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ms)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
