/** The minute of test/interop/tunnel-kill.test.ts. */
import { expect, test } from 'vitest'
import { expectEachExplained, killLoop } from '../interop/kill-loop.ts'
import { peer } from '../support.ts'

test.for(['postern', 'obfs4proxy'])(
  'the PT of %s is killed every second for a minute: each download completes or fails with a stage, none hangs',
  { timeout: 180_000 },
  async (who, context) => {
    const flags = who === 'obfs4proxy' ? ['--exec', peer('obfs4proxy', context)] : ['--isolate']
    const outcome = await killLoop(60, flags)
    expectEachExplained(outcome)
    expect(outcome.complete).toBeGreaterThan(0)
    expect(outcome.kills).toBeGreaterThan(10)
  },
)
