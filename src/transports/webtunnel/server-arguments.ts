/** The options of a server. */
import type { Args, ArgumentFinding } from '../../ipc/index.ts'
import type { ArgumentRow } from '../argument.ts'

export const serverRows: readonly ArgumentRow[] = []

/** Everything that can be said about the options without a connection. */
export function checkServer(_args: Args): ArgumentFinding[] {
  return []
}
