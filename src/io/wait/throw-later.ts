/** What a callback of the application throws is the application's to hear of, and not the business of the code that called. */

/** Throws `error` in a microtask of its own, as EventTarget does: an uncaught exception, after what is under way is done. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
