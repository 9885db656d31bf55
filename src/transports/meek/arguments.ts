/**
 * The arguments of meek and meek_lite. The client's say where the requests go; those of the server are in server-arguments.ts.
 *
 *     client   url=https://… front=…              or targets=url|front+front,url|front in place of both
 *              utls=…
 */
import type { Args, ArgumentFinding } from '../../ipc/index.ts'
import type { ArgumentRow, TransportArguments } from '../argument.ts'
import { keysOf, unknownKeys } from '../argument.ts'
import { checkServer, serverRows } from './server-arguments.ts'

const clientRows: readonly ArgumentRow[] = [
  {
    role: 'client',
    key: 'url',
    needed: 'yes, unless there are `targets`',
    form: 'an https or http URL',
    meaning: 'where the server is; its host is named to the front only, in the header Host of each request',
  },
]

function checkClient(args: Args, name: string): ArgumentFinding[] {
  return unknownKeys(args, name, keysOf(clientRows, 'client'))
}

export const meekArguments: TransportArguments = {
  rows: [...clientRows, ...serverRows],
  check: (args, role) => (role === 'client' ? checkClient(args, 'meek') : checkServer(args)),
}

/** meek_lite has no server. */
export const meekLiteArguments: TransportArguments = {
  rows: clientRows,
  check: (args, role) => (role === 'client' ? checkClient(args, 'meek_lite') : []),
}
