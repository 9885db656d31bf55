/** A bound on lines: a storm of probes at a bridge must not become a storm in the parent's log. */

/** True while fewer than `perSecond` were let through in this second. `onSuppressed` hears once a second of the others. */
export function rateLimit(perSecond: number, onSuppressed: (count: number) => void): () => boolean {
  let passed = 0
  let suppressed = 0
  let window: NodeJS.Timeout | undefined
  const endWindow = (): void => {
    const count = suppressed
    window = undefined
    passed = suppressed = 0
    if (count > 0) onSuppressed(count)
  }
  return () => {
    window ??= setTimeout(endWindow, 1_000).unref()
    if (passed < perSecond) {
      passed++
      return true
    }
    suppressed++
    return false
  }
}
