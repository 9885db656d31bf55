/** The arguments of obfs3: none. */
import type { TransportArguments } from '../argument.ts'
import { unknownKeys } from '../argument.ts'

export const obfs3Arguments: TransportArguments = { rows: [], check: (args) => unknownKeys(args, 'obfs3', []) }
