/** Errors that a callback of the application throws: the application has to hear of them, and the code that called it need not. */

/** Throws `error` in a microtask of its own, as EventTarget does. It is an uncaught exception, after the current work is done. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
