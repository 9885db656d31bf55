/** Waits of the requests of a session: for an event, and for each other. All of them are limited. */

/** An event that one caller at a time waits for. */
export class Bell {
  #answer: ((rang: boolean) => void) | undefined

  /** Resolves with true when it rings, and with false after `ms` milliseconds. */
  wait(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const answer = (rang: boolean): void => {
        clearTimeout(timer)
        this.#answer = undefined
        resolve(rang)
      }
      const timer = setTimeout(answer, ms, false)
      this.#answer = answer
    })
  }

  /** False if there is no wait. */
  ring(): boolean {
    const answer = this.#answer
    answer?.(true)
    return answer !== undefined
  }
}

/** A place for one, which is taken in the order in which it was asked for. */
export class Turns {
  #taken = false
  #waiting: Bell[] = []

  /** True if the caller has the place, which it has to pass on. False if `most` wait already, or if it took longer than `ms`. */
  async take(most: number, ms: number): Promise<boolean> {
    if (!this.#taken) return (this.#taken = true)
    if (this.#waiting.length >= most) return false
    const bell = new Bell()
    this.#waiting.push(bell)
    if (await bell.wait(ms)) return true
    this.#waiting = this.#waiting.filter((one) => one !== bell)
    return false
  }

  pass(): void {
    // One whose time is over is still in the list until it has noticed.
    while (this.#waiting.length > 0) if (this.#waiting.shift()?.ring() === true) return
    this.#taken = false
  }
}
