/** The observer itself, held to what is known of obfs4proxy and lyrebird. */
import { expect, test } from 'vitest'
import type { Endings } from './observer.ts'
import { observe } from './observer.ts'

test('the observer sees that obfs4proxy answers the end of its application, and that lyrebird does not', async (context) => {
  const how = 'the client application closes'
  const seen = async (program: 'obfs4proxy' | 'lyrebird'): Promise<Endings> =>
    observe(context, 'ends.mjs', [program], { transport: 'obfs4', client: program, server: program, hows: [how] })
  const after = { client: 0, server: 0 }
  expect(await seen('obfs4proxy')).toEqual({ [how]: { ends: ['client FIN', 'server FIN'], answered: true, after } })
  expect(await seen('lyrebird')).toEqual({ [how]: { ends: [], answered: false, after } })
})
