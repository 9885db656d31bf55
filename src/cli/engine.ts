/** Sets up V8 for a process that serves many connections for days; docs/decisions/0028-engine-flags.md has what was measured. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { collectYoungBy } from '../io/young-memory.ts'
import { isPlain } from '../plain.ts'

/**
 * The space for young objects stays at 1 MiB and does not grow to 16: few objects die young on a data path, and pages that were
 * touched once stay resident. That saves a third of the memory of 1,000 idle connections.
 */
const memory = ['--semi-space-growth-factor=1']

/** Each function is compiled at its first call. When it is optimized later, few other functions are inlined into it. */
const compiler = ['--always-sparkplug', '--max-inlined-bytecode-size=100', '--max-inlined-bytecode-size-cumulative=200']

/**
 * Returns the flags that say when a function is optimized: after a thirtieth of the default work, or after 40 calls instead of 3,000,
 * and by one compiler instead of two in turn. The list is empty if this V8 has other flags.
 */
function tierUp(v8: number): readonly string[] {
  if (v8 === 11) return ['--interrupt-budget=2000', '--bytecode-size-allowance-per-tick=1500']
  if (v8 >= 12 && v8 <= 14) {
    return ['--no-maglev', '--invocation-count-for-turbofan=40', '--minimum-invocations-after-ic-update=10']
  }
  return []
}

/** For commands that run until they are stopped. All flags act on a running engine, on Node 20 to 26. In plain mode it does nothing. */
export function tuneEngine(): void {
  if (isPlain()) return
  const soon = tierUp(Number.parseInt(process.versions.v8, 10))
  // V8 complains on stderr about a flag that it does not know, and another version may mean something else by one; so an untested
  // version keeps all of its own settings.
  const flags = soon.length === 0 ? [] : [...memory, ...compiler, ...soon]
  for (const flag of flags) setFlagsFromString(flag)
  setImmediate(collectGarbage)
}

/**
 * Collects garbage once, while the heap is small, which gives the heap a higher limit. The first limit is near 8 MiB, below which V8
 * does not mark in steps: a heap that reaches it is collected all at once, and optimized code is thrown away if no connection has
 * its objects at that moment.
 */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('globalThis.gc') as ((options?: { type: 'minor' }) => void) | undefined
  setFlagsFromString('--no-expose-gc')
  gc?.()
  // Later versions give memory back by themselves (tls/record.ts).
  if (gc !== undefined && !('transfer' in ArrayBuffer.prototype)) collectYoungBy(() => gc({ type: 'minor' }))
}
