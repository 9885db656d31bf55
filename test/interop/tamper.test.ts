/** A frame that somebody in the path has changed. */
import { expect, test } from 'vitest'
import type { Program } from './observer.ts'
import { observe } from './observer.ts'

test.for<['client' | 'server', Program, string | undefined]>([
  ['server', 'obfs4proxy', 'server FIN'],
  ['server', 'postern', 'server FIN'],
  ['server', 'lyrebird', undefined],
  ['client', 'obfs4proxy', 'client FIN'],
  ['client', 'postern', 'client FIN'],
])(
  'T1: a changed bit on the way to the %s, which is %s: the first to end is %s',
  async ([receiver, program, first], context) => {
    const [client, server]: Program[] = receiver === 'client' ? [program, 'obfs4proxy'] : ['obfs4proxy', program]
    const seen = await observe(context, 'tamper.mjs', [client!, server!], {
      transport: 'obfs4',
      client,
      server,
      receiver,
    })
    expect(seen).toEqual(first === undefined ? {} : { first })
  },
)
