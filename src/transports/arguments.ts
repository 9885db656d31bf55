/**
 * What the arguments of the built-in transports may be. The transports themselves read arguments by the same functions, so a line that
 * passes here is one that they take.
 */
import type { Args, ArgumentFinding } from '../ipc/index.ts'
import type { ArgumentRole, TransportArguments } from './argument.ts'
import { meekArguments, meekLiteArguments } from './meek/arguments.ts'
import { obfs2Arguments } from './obfs2/arguments.ts'
import { obfs3Arguments } from './obfs3/arguments.ts'
import { obfs4Arguments } from './obfs4/arguments.ts'
import { scramblesuitArguments } from './scramblesuit/arguments.ts'
import { webtunnelArguments } from './webtunnel/arguments.ts'

export type { ArgumentRole } from './argument.ts'

/** By the name of the transport. */
export const transportArguments: ReadonlyMap<string, TransportArguments> = new Map([
  ['meek', meekArguments],
  ['meek_lite', meekLiteArguments],
  ['obfs2', obfs2Arguments],
  ['obfs3', obfs3Arguments],
  ['obfs4', obfs4Arguments],
  ['scramblesuit', scramblesuitArguments],
  ['webtunnel', webtunnelArguments],
])

/** Everything that can be said about the arguments without a connection; undefined for a transport that is not built in. */
export function checkArguments(
  transport: string,
  args: Args,
  role: ArgumentRole,
): readonly ArgumentFinding[] | undefined {
  return transportArguments.get(transport)?.check(args, role)
}
