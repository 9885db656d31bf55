/**
 * Ending waits early. An AbortSignal, made and listened to by three who wait, is 7 % of what it costs a PT to set up a
 * connection (docs/decisions/0030-tcp-handles.md); so it is made only for who asks for one.
 */

export type CancelListener = (() => void) | { handleEvent(): void }

/** What a wait needs of a signal. Every AbortSignal is one. */
export interface Cancellation {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: CancelListener): void
  removeEventListener(type: 'abort', listener: CancelListener): void
}

/** What an AbortController is. */
export class Canceller implements Cancellation {
  aborted = false
  reason: unknown
  #listeners: readonly CancelListener[] = []
  #controller: AbortController | undefined

  /** The same for who needs an AbortSignal. */
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

  /** The first reason counts. */
  abort(reason: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    for (const listener of this.#listeners) {
      // It may have left while the others were told.
      if (this.#listeners.includes(listener)) tell(listener)
    }
    this.#listeners = []
    this.#controller?.abort(reason)
  }
}

/** As an AbortSignal does it: a listener that throws keeps nobody else from being told, and its error is an uncaught one. */
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
