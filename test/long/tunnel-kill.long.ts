/** The minute of test/interop/tunnel-kill.test.ts. */
import { expect, test } from 'vitest'
import { killLoop } from '../interop/kill-loop.ts'
import { peer } from '../support.ts'

test.for(['postern', 'obfs4proxy'])(
  'the PT of %s is killed every second for a minute: each download completes or fails with a stage, none hangs',
  { timeout: 180_000 },
  async (who, context) => {
    const flags = who === 'obfs4proxy' ? ['--exec', peer('obfs4proxy', context)] : []
    const { complete, failed, codes, kills, stages } = await killLoop(60, flags)
    expect(complete).toBeGreaterThan(10)
    expect(kills).toBeGreaterThan(20)
    expect(codes.filter((code) => code !== 'ECONNRESET' && code !== 'EPIPE')).toEqual([])
    if (failed > 0) expect(stages.length).toBeGreaterThan(0)
    expect(stages).not.toContain('unknown')
  },
)
