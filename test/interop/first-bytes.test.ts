/** How the first bytes of a connection are spread over writes, as an observer sees it: ours beside obfs4proxy and lyrebird. */
import { expect, test } from 'vitest'
import type { Program } from './observer.ts'
import { goPeers } from './go-peers.ts'
import { observe } from './observer.ts'

interface Seen {
  readonly client: readonly number[]
  readonly server: readonly number[]
}

/** What is in a run, for those whose length says it: paddings are of any length. */
type Shape = readonly ('seed' | 'magic or padding' | 'payload')[]

function shapeOf(runs: readonly number[], payload: number): Shape {
  return runs.map((length) => (length === 16 ? 'seed' : length === payload ? 'payload' : 'magic or padding'))
}

const expected = {
  obfs2: ['seed', 'magic or padding', 'payload'],
  obfs3: ['magic or padding', 'magic or padding', 'payload'],
} as const

test.for((['obfs2', 'obfs3'] as const).flatMap((name) => goPeers.map((program) => [name, program] as const)))(
  'either side of %s writes its first bytes as %s does: what each write holds',
  async ([transport, program], context) => {
    const shapes = async (one: Program): Promise<readonly Shape[]> => {
      const seen = await observe<Seen>(context, 'first-bytes.mjs', [one], { transport, client: one, server: one })
      return [shapeOf(seen.client, 8), shapeOf(seen.server, 100)]
    }
    const theirs = await shapes(program)
    expect(theirs).toEqual([expected[transport], expected[transport]])
    expect(await shapes('postern')).toEqual(theirs)
  },
)

test.for(goPeers)(
  'either side of obfs4 has sent one hello and one burst when both applications have spoken, as with %s',
  async (program, context) => {
    const writes = async (one: Program): Promise<readonly number[]> => {
      const options = { transport: 'obfs4', client: one, server: one }
      const { client, server } = await observe<Seen>(context, 'first-bytes.mjs', [one], options)
      return [client.length, server.length]
    }
    expect(await writes(program)).toEqual([2, 2])
    expect(await writes('postern')).toEqual([2, 2])
  },
)
