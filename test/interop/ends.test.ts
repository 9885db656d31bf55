/** How a connection ends on the wire: obfs4proxy's way, whichever of its ends is ours. */
import { expect, test } from 'vitest'
import type { Endings, Program } from './observer.ts'
import { long } from '../support.ts'
import { observe } from './observer.ts'

/**
 * What an observer can tell two programs apart by. A close in a running transfer is a reset, or an end that resets follow: that
 * depends on whether bytes happen to lie unread, with obfs4proxy and with us.
 */
interface Shape {
  readonly first: string | undefined
  readonly answered: boolean
  /** The side that ended says nothing more. */
  readonly silent: boolean
}

function shapes(seen: Endings): Record<string, Shape> {
  return Object.fromEntries(
    Object.entries(seen).map(([how, { ends, answered, after }]) => {
      const first = ends[0]?.split(' ')[0]
      return [how, { first, answered, silent: (first === 'client' ? after.client : after.server) === 0 }]
    }),
  )
}

const pairs: readonly [transport: string, client: Program, server: Program][] = [
  ['obfs4', 'postern', 'obfs4proxy'],
  ['obfs4', 'obfs4proxy', 'postern'],
]

/** These are for `npm run test:long`: that what we compare with is so, and that no end depends on who the other program is. */
const more: typeof pairs = [
  ['obfs4', 'obfs4proxy', 'obfs4proxy'],
  ['obfs4', 'postern', 'postern'],
  ['obfs3', 'postern', 'postern'],
]

test.for(long ? [...pairs, ...more] : pairs)(
  'FLOW-6: %s from %s to %s ends on the wire as obfs4proxy does, in nine ways',
  async (pair, context) => {
    const [transport, client, server] = pair
    const seen: Endings = await observe(context, 'ends.mjs', [client, server], { transport, client, server })
    const at = (first: string): Shape => ({ first, answered: true, silent: true })
    expect(shapes(seen)).toEqual({
      'the client application closes': at('client'),
      'the client application half-closes': at('client'),
      'the client application resets': at('client'),
      "the server's application closes": at('server'),
      "the server's application half-closes": at('server'),
      "the server's application resets": at('server'),
      'the client application closes in a download': at('client'),
      'the client application resets in a download': at('client'),
      "the server's application closes in an upload": at('server'),
    })
  },
)
