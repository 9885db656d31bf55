/** What the options of acceptSocks and connectSocks have to be. The compiler wants a row for every option. */
import type { Check, Checks } from '../options.ts'
import { aBoolean, aSignal, aString, expecting, milliseconds, oneOf, optional, someArgs, tableOf } from '../options.ts'
import type { SocksClientRequest } from './client.ts'
import type { AcceptSocksOptions } from './server.ts'

export const aConnection: Check = expecting('a stream', (value) => {
  const { write, destroy } = (value ?? {}) as { write?: unknown; destroy?: unknown }
  return typeof write === 'function' && typeof destroy === 'function'
})

export const acceptChecks: Checks<AcceptSocksOptions> = {
  signal: optional(aSignal),
  handshakeTimeout: optional(milliseconds(1)),
  prefer: optional(oneOf('auth', 'none')),
  password: optional(aString),
  applications: optional(aBoolean),
}

const credentials: Checks<NonNullable<SocksClientRequest['credentials']>> = {
  user: aString,
  password: optional(aString),
}

export const requestChecks: Checks<SocksClientRequest> = {
  version: expecting('4 or 5', (value) => value === 4 || value === 5),
  target: aString,
  args: optional(someArgs),
  credentials: optional(tableOf(credentials)),
}
