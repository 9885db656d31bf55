/**
 * Waits with a time limit: a signal that aborts after a time or with its parent, and that leaves nothing behind when disposed.
 *
 * AbortSignal.any is not used: on Node 20 each call leaves an entry on a long-lived parent signal.
 */
import { PtError } from '../../error.ts'
import type { Cancellation } from './cancellation.ts'
import { Canceller } from './cancellation.ts'

/** A time limit that can be taken back. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  /** The same signal for a wait that needs no AbortSignal; it costs less. */
  readonly cancellation: Cancellation
  /** Begins another time limit with the same signal. `what` is said if it took longer. */
  again(ms: number, what: string): void
  /** Aborts the signal now. */
  abort(reason: Error): void
  /** Ends the time limit; the signal still follows its parent until disposed. */
  clear(): void
}

/** A signal that aborts after `ms` milliseconds with PT_TIMEOUT (`what` took longer), or with `parent`. */
export function deadline(ms: number, what: string, parent?: Cancellation): Deadline {
  return new AbortingLimit(ms, what, parent)
}

// The limits are classes: V8 drops the optimized code of a closure whenever no instance of it is left, and then optimizes it again.

class AbortingLimit implements Deadline {
  readonly #canceller = new Canceller()
  readonly #parent: Cancellation | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(ms: number, what: string, parent: Cancellation | undefined) {
    this.#parent = parent
    this.again(ms, what)
    if (parent?.aborted) this.handleEvent()
    parent?.addEventListener('abort', this)
  }

  get signal(): AbortSignal {
    return this.#canceller.signal
  }

  get cancellation(): Cancellation {
    return this.#canceller
  }

  again(ms: number, what: string): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(abortLate, ms, this, ms, what)
  }

  abort(reason: Error): void {
    this.#canceller.abort(reason)
  }

  clear(): void {
    clearTimeout(this.#timer)
    // A limit may live as long as its connection.
    this.#timer = undefined
  }

  [Symbol.dispose](): void {
    this.clear()
    this.#parent?.removeEventListener('abort', this)
  }

  /** The parent calls this when it aborts. */
  handleEvent(): void {
    this.#canceller.abort(this.#parent?.reason)
  }
}

function abortLate(limit: AbortingLimit, ms: number, what: string): void {
  limit.abort(tookTooLong(ms, what))
}

/**
 * Destroys `conn` with PT_TIMEOUT (`what` took longer) unless it is cleared within `ms` milliseconds. This is for a handshake, which
 * cannot go on without its connection. It costs a fifth of a signal.
 */
export function closeAfter(conn: Closable, ms: number, what: string): ClosingLimit {
  return new ClosingLimit(setTimeout(closeLate, ms, conn, ms, what))
}

/** A stream, or an attempt at one. */
export interface Closable {
  destroy(error: Error): unknown
}

/** A time limit at which a connection is closed. */
export class ClosingLimit {
  readonly #timer: NodeJS.Timeout

  constructor(timer: NodeJS.Timeout) {
    this.#timer = timer
  }

  clear(): void {
    clearTimeout(this.#timer)
  }
}

function closeLate(conn: Closable, ms: number, what: string): void {
  conn.destroy(tookTooLong(ms, what))
}

function tookTooLong(ms: number, what: string): PtError {
  return new PtError('PT_TIMEOUT', `${what} took longer than ${ms / 1000} s`)
}

/** Runs `act` under a deadline and disposes of it afterwards. */
export async function withDeadline<T>(
  ms: number,
  what: string,
  parent: Cancellation | undefined,
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

/** Settles as `promise` does, or rejects with the signal's reason if that comes first. What cannot be stopped then goes on unheard. */
export function orAborted<T>(promise: Promise<T>, signal: Cancellation): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
