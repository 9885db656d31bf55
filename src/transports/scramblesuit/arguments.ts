/** The one argument of scramblesuit: its password. */
import type { Args, ArgumentFinding } from '../../ipc/index.ts'
import type { ArgumentRole, ArgumentRow, TransportArguments } from '../argument.ts'
import { faultsOf, keysOf, unknownKeys, warning } from '../argument.ts'
import { passwordOf, requirePassword } from './password.ts'

const form = '32 characters of base32 (A to Z and 2 to 7), for 20 bytes'

const rows: readonly ArgumentRow[] = [
  { role: 'client', key: 'password', needed: 'yes', form, meaning: 'the secret of the bridge' },
  {
    role: 'server',
    key: 'password',
    needed: 'no; without it a password is made once and kept in the state directory',
    form,
    meaning: 'the secret of the bridge',
  },
]

export const scramblesuitArguments: TransportArguments = { rows, check }

function check(args: Args, role: ArgumentRole): ArgumentFinding[] {
  const faults = faultsOf(() => (role === 'client' ? requirePassword(args) : passwordOf(args)))
  const password = args.get('password')
  const strange = role === 'client' && faults.length === 0 && password !== undefined && !/^[A-Z2-7]{32}$/.test(password)
  return [
    ...faults,
    ...(strange
      ? [warning('password', 'obfs4proxy takes capital letters and 2 to 7 alone, without 0, 1 and = at its end')]
      : []),
    ...unknownKeys(args, 'scramblesuit', keysOf(rows, role)),
  ]
}
