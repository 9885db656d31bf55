/** The data path of a connection: the fastest way that its two streams allow. */
import type { Duplex } from 'node:stream'
import { endTogether } from './framed.ts'
import type { RelayCount, RelayOptions } from './relay.ts'
import { relay } from './relay.ts'
import { splice } from './splice.ts'

/**
 * Carries bytes between two streams until both are closed, as relay() does, and by splice() if that applies: if both are TCP
 * connections of this process, of which one may run through a codec of ours. Both are given away. If `wire` is a framed stream, its
 * first end closes it both ways, unless `halfOpen` is set.
 */
export function carry(a: Duplex, b: Duplex, options: RelayOptions = {}): Promise<RelayCount> {
  const spliced = splice(a, b, options)
  if (spliced !== undefined) return spliced
  if (options.halfOpen !== true && options.wire !== undefined) endTogether(options.wire)
  return relay(a, b, options)
}
