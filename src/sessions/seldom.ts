/** `act` at most once in `ms` milliseconds; calls in between do nothing. */
export function seldom<Args extends unknown[]>(ms: number, act: (...args: Args) => void): (...args: Args) => void {
  let last = -Infinity
  return (...args) => {
    const now = performance.now()
    if (now - last < ms) return
    last = now
    act(...args)
  }
}
