/** What the options of tunnels have to be. The compiler asks for a row for every option. */
import { aBridge, someTransports } from '../bridges/option-checks.ts'
import type { Checks } from '../options.ts'
import {
  aBoolean,
  aCommand,
  aFunction,
  aSignal,
  aString,
  anAddress,
  anObject,
  either,
  milliseconds,
  oneOf,
  optional,
  someArgs,
  tableOf,
  wholeNumber,
} from '../options.ts'
import type { TunnelClientOptions } from './client.ts'
import type { TunnelServerOptions } from './server.ts'

const tunnel = {
  halfOpen: optional(aBoolean),
  maxConnections: optional(wholeNumber(1)),
  drainTimeout: optional(milliseconds(0)),
  signal: optional(aSignal),
}

export const tunnelClientChecks: Checks<TunnelClientOptions> = {
  ...tunnel,
  bridge: aBridge,
  listen: anAddress,
  socks: optional(aBoolean),
  secret: optional(aString),
  exposed: optional(aBoolean),
}

export const tunnelServerChecks: Checks<TunnelServerOptions> = {
  ...tunnel,
  exec: optional(aCommand),
  transports: someTransports,
  transport: aString,
  listen: anAddress,
  publicAddress: optional(aString),
  idleTimeout: optional(milliseconds(0)),
  options: optional(someArgs),
  stateDir: aString,
  forward: either(
    "{ type: 'address', target } or { type: 'socks', allow }",
    tableOf({ type: oneOf('address'), target: anAddress }),
    tableOf({ type: oneOf('socks'), allow: anObject }),
  ),
  onPtEvent: optional(aFunction),
}
