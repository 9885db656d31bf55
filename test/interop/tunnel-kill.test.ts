import { expect, test } from 'vitest'
import { peer } from '../support.ts'
import { killLoop } from './kill-loop.ts'

/** `npm run test:long` has the minute. */
const SECONDS = 6

test.for(['postern', 'obfs4proxy'])(
  'the PT of %s is killed every second: each download completes or fails with a stage, none hangs, the port never refuses',
  { timeout: SECONDS * 1000 + 60_000 },
  async (who, context) => {
    const flags = who === 'obfs4proxy' ? ['--exec', peer('obfs4proxy', context)] : []
    const { complete, failed, codes, kills, stages } = await killLoop(SECONDS, flags, true)
    expect(complete).toBeGreaterThan(0)
    expect(kills).toBeGreaterThan(0)
    expect(codes.filter((code) => code !== 'ECONNRESET' && code !== 'EPIPE')).toEqual([])
    if (failed > 0) expect(stages.length).toBeGreaterThan(0)
    expect(stages).not.toContain('unknown')
  },
)
