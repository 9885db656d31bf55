/** V8 as a process wants it that serves many connections for days; docs/decisions/0028-engine-flags.md has what was measured. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Space for young objects stays at 1 MiB, and does not grow to 16: what dies young on a data path is little, and pages that
 * were touched once stay resident. It is a third of the memory of 1,000 idle connections.
 */
const memory = ['--semi-space-growth-factor=1']

/** Each function is compiled as it is first called, and again, optimized, with few others inside. */
const compiler = ['--always-sparkplug', '--max-inlined-bytecode-size=100', '--max-inlined-bytecode-size-cumulative=200']

/**
 * When a function is optimized: after a thirtieth of the work that it is by default, whatever its length, or 40 calls in place of 3,000; and
 * by one compiler, not by one behind the other. Empty: V8 has other flags.
 */
function tierUp(v8: number): readonly string[] {
  if (v8 === 11) return ['--interrupt-budget=2000', '--bytecode-size-allowance-per-tick=1500']
  if (v8 >= 12 && v8 <= 14) {
    return ['--no-maglev', '--invocation-count-for-turbofan=40', '--minimum-invocations-after-ic-update=10']
  }
  return []
}

/** For commands that run until they are stopped. All flags act on a running engine, on Node 20 to 26. */
export function tuneEngine(): void {
  const soon = tierUp(Number.parseInt(process.versions.v8, 10))
  // V8 says on stderr that it does not know a flag, and another version may mean something else by one; so a version that nobody
  // has tried keeps all of its own settings.
  const flags = soon.length === 0 ? [] : [...memory, ...compiler, ...soon]
  for (const flag of flags) setFlagsFromString(flag)
  setImmediate(collectGarbage)
}

/**
 * The heap's first limit is near 8 MiB, below which V8 does not mark in steps. Whoever reaches it there is collected all at once, and
 * optimized code is thrown away whose objects no connection has at that moment. Collected while it is small, a heap has a higher limit.
 */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('globalThis.gc') as (() => void) | undefined
  setFlagsFromString('--no-expose-gc')
  gc?.()
}
