/**
 * Bounded waits: a signal that aborts after a time or with its parent, and that leaves nothing behind when disposed.
 *
 * AbortSignal.any is not used: on Node 20 each call leaves an entry on a long-lived parent signal.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'

export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  /** Begins another wait under the same signal. */
  again(ms: number, what: string): void
  /** Aborts the signal now. */
  abort(reason: Error): void
  /** Ends the time limit; the signal still follows its parent until disposed. */
  clear(): void
}

/** A signal that aborts after `ms` milliseconds with PT_TIMEOUT (`what` took longer), or with `parent`. */
export function deadline(ms: number, what: string, parent?: AbortSignal): Deadline {
  const controller = new AbortController()
  const follow = (): void => controller.abort(parent?.reason)
  const limit = (ms: number, what: string): NodeJS.Timeout =>
    setTimeout(() => controller.abort(tookTooLong(ms, what)), ms)
  let timer = limit(ms, what)
  if (parent?.aborted) follow()
  parent?.addEventListener('abort', follow, { once: true })
  return {
    signal: controller.signal,
    again(ms, what) {
      clearTimeout(timer)
      timer = limit(ms, what)
    },
    abort: (reason) => controller.abort(reason),
    clear: () => clearTimeout(timer),
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      parent?.removeEventListener('abort', follow)
    },
  }
}

/**
 * Destroys `conn` with PT_TIMEOUT (`what` took longer) unless it is disposed of within `ms` milliseconds: for a handshake that
 * could not go on without its connection. It costs a fifth of what a signal does.
 */
export function closeAfter(conn: Duplex, ms: number, what: string): Disposable {
  const timer = setTimeout(() => conn.destroy(tookTooLong(ms, what)), ms)
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

function tookTooLong(ms: number, what: string): PtError {
  return new PtError('PT_TIMEOUT', `${what} took longer than ${ms / 1000} s`)
}

/** Runs `act` under a deadline and disposes of it afterwards. */
export async function withDeadline<T>(
  ms: number,
  what: string,
  parent: AbortSignal | undefined,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  using limit = deadline(ms, what, parent)
  return await act(limit.signal)
}

/** Waits `ms` milliseconds, or rejects with the signal's reason. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/** `promise`, or the signal's reason if that comes first; what cannot be stopped goes on, and nobody waits for it. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
