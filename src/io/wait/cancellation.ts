/**
 * Ending waits early. To make an AbortSignal, with three listeners, is 7 % of what it costs a PT to set up a connection
 * (docs/decisions/0030-tcp-handles.md). So an AbortSignal is made only if one is asked for.
 */

export type CancelListener = (() => void) | { handleEvent(): void }

/** The part of a signal that a wait needs. Every AbortSignal is a Cancellation. */
export interface Cancellation {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: CancelListener): void
  removeEventListener(type: 'abort', listener: CancelListener): void
}

/** Makes a Cancellation and ends it, as an AbortController does with its signal. */
export class Canceller implements Cancellation {
  aborted = false
  reason: unknown
  #listeners: readonly CancelListener[] = []
  #controller: AbortController | undefined

  /** The same cancellation as an AbortSignal, which is made when it is first asked for. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.aborted) this.#controller.abort(this.reason)
    }
    return this.#controller.signal
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  addEventListener(_type: 'abort', listener: CancelListener): void {
    this.#listeners = [...this.#listeners, listener]
  }

  removeEventListener(_type: 'abort', listener: CancelListener): void {
    this.#listeners = this.#listeners.filter((one) => one !== listener)
  }

  /** Aborts, unless it has aborted already: the first reason counts. */
  abort(reason: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    for (const listener of this.#listeners) {
      // A listener may have left while the others were told.
      if (this.#listeners.includes(listener)) tell(listener)
    }
    this.#listeners = []
    this.#controller?.abort(reason)
  }
}

/** If a listener throws, the others are told all the same, and its error is an uncaught one. An AbortSignal does it so too. */
function tell(listener: CancelListener): void {
  try {
    if (typeof listener === 'function') listener()
    else listener.handleEvent()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
