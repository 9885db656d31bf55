/** Waits for something to hold, which is looked at again each time that anything has happened. */
import type { Strain } from './strain.ts'

export class Waiting {
  readonly #strain: Strain
  readonly #dialogue: boolean
  readonly #checks = new Set<() => void>()

  /** `dialogue`: the awaited bytes pass through this process. */
  constructor(strain: Strain, dialogue = false) {
    this.#strain = strain
    this.#dialogue = dialogue
  }

  /** Says that something has happened. */
  wake(): void {
    for (const check of this.#checks) check()
  }

  /** Waits until `holds` is true, until `ms` milliseconds that count are over, or until the lab ends. Returns what `holds` says then. */
  async until(ms: number, holds: () => boolean): Promise<boolean> {
    if (holds() || this.#strain.over) return holds()
    const clock = this.#strain.clock(ms, this.#dialogue)
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (holds()) end()
      }
      const end = (): void => {
        clearTimeout(timer)
        this.#checks.delete(check)
        this.#strain.waits.delete(end)
        resolve()
      }
      const expire = (): void => {
        // Timers come before what has arrived in the meantime; after a whole turn that has been read too.
        setImmediate(() => setTimeout(settle, 10))
      }
      const settle = (): void => {
        if (!this.#checks.has(check)) return
        const left = clock.left()
        if (left > 0) timer = setTimeout(expire, left)
        else end()
      }
      let timer = setTimeout(expire, Math.min(ms, 2 ** 31 - 1))
      this.#checks.add(check)
      this.#strain.waits.add(end)
    })
    return holds()
  }
}
