/** lyrebird passes on no end, so what it leaves open must not stay open with us. */
import { expect, test } from 'vitest'
import type { Program } from './observer.ts'
import { observe } from './observer.ts'

test.for<[Program, Program, 'client' | 'server']>([
  ['postern', 'lyrebird', 'client'],
  ['lyrebird', 'postern', 'server'],
])(
  'from %s to %s: when the application of the %s has gone, our PT has no socket left',
  async ([client, server, gone], context) => {
    const pair = { transport: 'obfs4', client, server, gone }
    expect(await observe(context, 'left-behind.mjs', [client, server], pair)).toEqual({ before: 3, after: 0 })
  },
)
