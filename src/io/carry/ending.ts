/**
 * How a carried connection ends: the part that relay() and splice() have in common.
 *
 *     both open ── first end ── one closed ── both closed ── settled
 *        └── half-closed ── silent for too long ──────────────┘
 *
 * docs/decisions/0003-relay-endings.md says what happens to whom, and docs/decisions/0033-half-closes.md what a half-close may do.
 */
import { PtError } from '../../error.ts'
import { HALF_OPEN_LIMIT, silent } from '../tcp/close.ts'

/** How long an application has to take what is on its way to it, and to end, in milliseconds. */
export const APPLICATION_TIME = 5_000
/** How long the system may take to accept what is on its way to the wire, in milliseconds. */
export const WIRE_TIME = 60_000

export class Ending {
  readonly #settled: (failure: Error | undefined) => void
  #open = 2
  #begun = false
  #failure: Error | undefined
  #timer: NodeJS.Timeout | undefined
  #waitsForSilence = false

  /** `settled` is called once, when both streams have closed or are to be closed. */
  constructor(settled: (failure: Error | undefined) => void) {
    this.#settled = settled
  }

  /** True after the first end. */
  get begun(): boolean {
    return this.#begun
  }

  /** One of the two streams has ended, or has failed with `failure`. False if this is not the first end. */
  begin(failure?: Error): boolean {
    if (this.#begun) return false
    this.#begun = true
    this.#failure ??= failure
    return true
  }

  /** One of the two streams has closed. False if the other one has closed before it, and all is over. */
  oneClosed(): boolean {
    if (this.#open === 0) return false
    if (--this.#open > 0) return true
    this.settle()
    return false
  }

  /** Calls `act` after `ms` milliseconds, instead of what was to be done after a time until now. */
  after(ms: number, act: () => void): void {
    if (this.#open === 0) return
    clearTimeout(this.#timer)
    this.#waitsForSilence = false
    this.#timer = setTimeout(act, ms)
  }

  /**
   * One direction has ended, and the other goes on. Calls `act` with an error if the other is silent for a minute. `isBusy` is asked
   * at the end of a minute: a reader that takes its time is no silence. False, and nothing done, if a time runs already.
   */
  limitSilence(isBusy: () => boolean, act: (failure: Error) => void): boolean {
    if (this.#begun || this.#timer !== undefined) return false
    this.#waitsForSilence = true
    const timer = setTimeout(() => {
      if (isBusy()) timer.refresh()
      else act(silent())
    }, HALF_OPEN_LIMIT)
    this.#timer = timer
    return true
  }

  /** Something was heard of the other direction. */
  heard(): void {
    if (this.#waitsForSilence) this.#timer?.refresh()
  }

  /** Ends it now, whatever is still on its way. */
  settle(failure?: Error): void {
    this.#failure ??= failure
    this.#open = 0
    clearTimeout(this.#timer)
    this.#settled(this.#failure)
  }
}

/** Node's names for a stream that was destroyed. A socket that was still writing has the second one, since Node 22. */
const closings: ReadonlySet<unknown> = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ECANCELED'])

/** Why a stream was lost: its error, or PT_CLOSED if it had none of its own. */
export function reasonOf(error: Error): Error {
  return closings.has((error as NodeJS.ErrnoException).code) ? closedEarly(error) : error
}

/** The error of a stream that was closed before its end. */
export function closedEarly(cause?: Error): PtError {
  return new PtError('PT_CLOSED', 'a connection was closed before its end', { cause })
}
