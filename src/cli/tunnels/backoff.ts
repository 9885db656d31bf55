/** When something that has failed is tried again: after a second, and then after twice as long each time, up to 30 s. */

const FIRST = 1_000
const LAST = 30_000

export class Backoff {
  readonly #act: () => void
  #delay = FIRST
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(act: () => void) {
    this.#act = act
  }

  /** True while the next try is to come. */
  get waits(): boolean {
    return this.#timer !== undefined
  }

  /** Tries again after the time that it is the turn of. */
  next(): void {
    clearTimeout(this.#timer)
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#act()
    }, this.#delay)
    this.#delay = Math.min(2 * this.#delay, LAST)
  }

  /** Tries nothing again; the next time is short once more. */
  reset(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#delay = FIRST
  }

  stop(): void {
    this.reset()
    this.#stopped = true
  }
}
