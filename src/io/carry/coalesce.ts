/**
 * Lets bytes gather that come too fast for each read to be worth a turn of the event loop, as a network card does with its
 * interrupts.
 *
 * A program that reads faster than its peer sends goes to sleep after each write of the peer. The peer has to wake it, which slows the
 * peer down. And both do as much work for each of these short writes as they would do for one many times as long
 * (docs/decisions/0032-receive-coalescing.md).
 *
 *     the reads of a turn ── enough bytes, soon after the turn before, and no memory was filled ── a pause
 *                         └─ otherwise                                                          ── no pause
 */
import { isPlain } from '../../plain.ts'
import { sleepSync } from '../wait/sleep.ts'

/** Reads shorter than this are not counted: counting would cost each of them a microsecond. */
const SHORTEST = 2_048
/** How many bytes of one turn are enough. */
const ENOUGH = 16_384
/** The longest time since the end of the turn before, in ms. With ENOUGH bytes that is 80 MB a second; below it nothing waits. */
const SOON = 0.2
/** The length of a pause in ms. The system takes as long again to wake a process. A handshake is about ten times as long. */
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

  /** Counts a read. `filled` says that it filled its memory, so there may be more to read at once. */
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

/** The whole process pauses. There are no pauses in plain mode, nor on other systems than Linux, on which a pause may be some ms long. */
export const coalescing: Coalescing = new Coalescing(
  () => performance.now(),
  process.platform === 'linux' && !isPlain() ? sleepSync : () => undefined,
)
