/** A download in bulk: how long the bursts are, as an observer can tell by their paddings. */
import { expect, test } from 'vitest'
import { peer, tempDir } from '../support.ts'
import { identityOptions } from '../transports/obfs4/support.ts'
import type { Program } from './observer.ts'
import { observe } from './observer.ts'

/** 32 KiB in frames of obfs4, with the longest padding and the headers of two packets. */
const LONGEST = 32_768 + 24 * 21 + 1_448 + 42

test.for<[Program]>([['obfs4proxy'], ['postern']])(
  'B1: %s pads each 32 KiB of a download, and writes them one by one',
  async ([program], context) => {
    peer('strace', context)
    // With a seed of its own each bridge would have other paddings: for one in 150 they are so short that nothing can be told.
    const options = { transport: 'obfs4', program, folder: tempDir(), server: identityOptions }
    const seen = await observe<Record<'overhead' | 'longest', number>>(context, 'bulk.mjs', [program], options)
    expect(seen.longest).toBeLessThanOrEqual(LONGEST)
    expect(seen.longest).toBeGreaterThan(32_768)
    // The paddings of this seed make it 3.7; with bursts twice as long it would be 2.6. Segments say nothing on loopback, as what
    // waits for the reader is put together.
    expect(seen.overhead).toBeGreaterThan(3.2)
  },
)
