/** The arguments of obfs2: none. It refuses the one that other programs know. */
import type { Args } from '../../ipc/index.ts'
import type { TransportArguments } from '../argument.ts'
import { faultsOf, unknownKeys, unsupported } from '../argument.ts'

/**
 * Throws PT_ARGS if there is a shared secret: a bridge with one would not understand us, nor we its clients, so it is better said than
 * tried.
 */
export function requireNoSharedSecret(args: Args): void {
  if (args.has('shared-secret')) throw unsupported('shared-secret')
}

export const obfs2Arguments: TransportArguments = {
  rows: [],
  check: (args) => [...faultsOf(() => requireNoSharedSecret(args)), ...unknownKeys(args, 'obfs2', ['shared-secret'])],
}
