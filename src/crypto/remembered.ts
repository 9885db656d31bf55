/**
 * Values in the order in which they came, each with a number such as a time: the oldest is forgotten at the same cost however
 * many there are.
 *
 * A Map alone keeps that order too, but what was deleted from it stays at its head for a while, and a search for its first
 * entry walks over all of that each time.
 */
export class Remembered {
  readonly #marks = new Map<string, number>()
  /** The values from `#head` on are those of the map. */
  #order: string[] = []
  #head = 0

  get size(): number {
    return this.#marks.size
  }

  has(value: string): boolean {
    return this.#marks.has(value)
  }

  /** Adds a value that is not there yet. */
  add(value: string, mark: number): void {
    this.#marks.set(value, mark)
    this.#order.push(value)
  }

  /** The number of the oldest value; undefined if there is none. */
  get oldest(): number | undefined {
    const value = this.#order[this.#head]
    return value === undefined ? undefined : this.#marks.get(value)
  }

  forgetOldest(): void {
    const value = this.#order[this.#head]
    if (value === undefined) return
    this.#marks.delete(value)
    this.#head++
    // Half of the array is moved once for as many values that were forgotten.
    if (this.#head > 1024 && this.#head * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#head)
      this.#head = 0
    }
  }

  clear(): void {
    this.#marks.clear()
    this.#order = []
    this.#head = 0
  }

  /** The oldest first. */
  entries(): IterableIterator<[value: string, mark: number]> {
    return this.#marks.entries()
  }
}
