/** What scramblesuit's one argument may be, said before anybody dials or launches. */
import type { Args } from '../../ipc/index.ts'
import type { ArgumentFinding } from '../argument.ts'
import { faultsOf, unknownKeys, warning } from '../argument.ts'
import { passwordOf, requirePassword } from './password.ts'

/** The findings for both roles; a server without a password makes one. */
export function checkScramblesuit(args: Args, role: 'client' | 'server'): ArgumentFinding[] {
  const faults = faultsOf(() => (role === 'client' ? requirePassword(args) : passwordOf(args)))
  const password = args.get('password')
  const strange = role === 'client' && faults.length === 0 && password !== undefined && !/^[A-Z2-7]{32}$/.test(password)
  return [
    ...faults,
    ...(strange
      ? [warning('password', 'obfs4proxy takes capital letters and 2 to 7 alone, without 0, 1 and = at its end')]
      : []),
    ...unknownKeys(args, 'scramblesuit', ['password']),
  ]
}
