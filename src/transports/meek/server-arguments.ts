/** The options of a meek server. */
import type { Args, ArgumentFinding } from '../../ipc/index.ts'
import type { ArgumentRow } from '../argument.ts'
import { keysOf, unknownKeys } from '../argument.ts'

export const serverRows: readonly ArgumentRow[] = []

export function checkServer(args: Args): ArgumentFinding[] {
  return unknownKeys(args, 'meek', keysOf(serverRows, 'server'))
}
