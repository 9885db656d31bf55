/** V8 as a process wants it that serves many connections for days; docs/decisions/0028-engine-flags.md has what was measured. */
import { setFlagsFromString } from 'node:v8'

/** Space for young objects stays at 1 MiB, and does not grow to 16: what dies young on a data path is little. */
const memory = ['--semi-space-growth-factor=1']

/** Each function is compiled as it is first called, and again, optimized, with few others inside. */
const compiler = ['--always-sparkplug', '--max-inlined-bytecode-size=100', '--max-inlined-bytecode-size-cumulative=200']

const afterCalls = ['--invocation-count-for-turbofan=300', '--minimum-invocations-after-ic-update=100']

/** How soon a function is optimized, by V8's major version: after a quarter of the work that it is by default, or a tenth of the calls. */
const tierUp: Readonly<Record<string, readonly string[]>> = {
  11: ['--interrupt-budget=16000'],
  12: afterCalls,
  13: afterCalls,
  14: afterCalls,
}

/** For commands that run until they are stopped. All flags act on a running engine, on Node 20 to 26. */
export function tuneEngine(): void {
  const soon = tierUp[Number.parseInt(process.versions.v8, 10)]
  // A flag that V8 does not know is a line on stderr, so one of another version gets what is as old as the first of these.
  const flags = soon === undefined ? memory : [...memory, ...compiler, ...soon]
  for (const flag of flags) setFlagsFromString(flag)
}
