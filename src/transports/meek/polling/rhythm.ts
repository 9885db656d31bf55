/**
 * When a client asks, if the application has nothing to say. It is the rhythm of obfs4proxy and lyrebird, in ms after the last answer:
 *
 *     bytes went either way    at once
 *     then                     100  150  225  338  506 …  5,000  5,000 …
 *
 * docs/meek.md says what an observer makes of it.
 */

const FIRST = 100
const FACTOR = 1.5
const MOST = 5_000

export class Rhythm {
  #pause = 0

  /** The time up to the next request. `moved` says that the last one, or its answer, carried bytes. */
  next(moved: boolean): number {
    if (moved) this.#pause = 0
    else if (this.#pause === 0) this.#pause = FIRST
    else this.#pause = Math.min(MOST, this.#pause * FACTOR)
    return this.#pause
  }
}
