/**
 * Lets bytes gather that come faster than they are worth a turn of the event loop, as a network card does with its interrupts.
 *
 * Who reads faster than its peer sends goes to sleep behind each of the peer's writes, and who wakes it is the peer: that slows it
 * down, and what both do for each of these writes is as much as for one many times as long.
 *
 *     the reads of a turn ── enough bytes, soon behind the turn before, and no memory was filled ── a pause
 *                         └─ else                                                                ── none
 */
import { sleepSync } from '../wait/sleep.ts'

/** Shorter reads are not counted: that would cost each of them a microsecond. */
const SHORTEST = 2_048
/** Bytes of one turn. */
const ENOUGH = 16_384
/** From the end of the turn before, in ms: with ENOUGH bytes that is 80 MB a second, below which nothing waits. */
const SOON = 0.2
/** In ms; the system takes as long again to wake a process. A handshake is some ten times as long. */
const PAUSE = 0.05

export class Coalescing {
  readonly #now: () => number
  readonly #pause: (ms: number) => void
  #bytes = 0
  #filled = false
  #counted = false
  #ended = -Infinity

  constructor(now: () => number, pause: (ms: number) => void) {
    this.#now = now
    this.#pause = pause
  }

  /** A read; `filled` where there may be more of the same to read at once. */
  count(length: number, filled: boolean): void {
    if (length < SHORTEST) return
    this.#bytes += length
    this.#filled ||= filled
    if (this.#counted) return
    this.#counted = true
    setImmediate(this.#endTurn)
  }

  readonly #endTurn = (): void => {
    const gathers = this.#bytes >= ENOUGH && !this.#filled && this.#now() - this.#ended < SOON
    this.#bytes = 0
    this.#filled = this.#counted = false
    if (gathers) this.#pause(PAUSE)
    this.#ended = this.#now()
  }
}

/** The whole process pauses. Elsewhere than on Linux a pause may be some ms long. */
export const coalescing: Coalescing = new Coalescing(
  () => performance.now(),
  process.platform === 'linux' ? sleepSync : () => undefined,
)
