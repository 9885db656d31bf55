/**
 * What the arguments of the built-in transports may be. The transports themselves read arguments by the same functions, so a
 * line that passes here is one that they take.
 */
import type { Args } from '../ipc/index.ts'
import type { ArgumentFinding } from './argument.ts'
import { faultsOf, unknownKeys } from './argument.ts'
import { checkObfs4 } from './obfs4/arguments.ts'
import { requireNoSharedSecret } from './obfs2-arguments.ts'
import { checkScramblesuit } from './scramblesuit/arguments.ts'

export type { ArgumentFinding } from './argument.ts'

/** `client`: what a bridge line has. `server`: the options of a bridge. */
export type ArgumentRole = 'client' | 'server'

const checks: Readonly<Record<string, (args: Args, role: ArgumentRole) => ArgumentFinding[]>> = {
  obfs2: (args) => [...faultsOf(() => requireNoSharedSecret(args)), ...unknownKeys(args, 'obfs2', ['shared-secret'])],
  obfs3: (args) => unknownKeys(args, 'obfs3', []),
  obfs4: checkObfs4,
  scramblesuit: checkScramblesuit,
}

/** Everything that can be said about the arguments without a connection; undefined for a transport that is not built in. */
export function checkArguments(
  transport: string,
  args: Args,
  role: ArgumentRole,
): readonly ArgumentFinding[] | undefined {
  return Object.hasOwn(checks, transport) ? checks[transport]!(args, role) : undefined
}
