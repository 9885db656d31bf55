/** What the options of bridges have to be. The compiler wants a row for every option. */
import type { Check, Checks, OptionalCheck } from '../options.ts'
import {
  aBoolean,
  aCommand,
  aFunction,
  aSignal,
  aString,
  aTextOr,
  anObject,
  either,
  expecting,
  listOf,
  milliseconds,
  oneOf,
  optional,
  wholeNumber,
} from '../options.ts'
import { restartCheck, serverChecks, serverTransportCheck } from '../parent/index.ts'
import type { Bridge, BridgeConnectOptions, OpenBridgeOptions } from './bridge.ts'
import type { BridgeServerOptions } from './server.ts'
import type { BridgeTestOptions } from './bridge-test.ts'

export const aBridge: Check = expecting('what openBridge gives', (value) => {
  return typeof (value as Bridge | null | undefined)?.connect === 'function'
})

/** A transport, or one that is loaded by its name. */
const aTransport = expecting('a transport', (value) => typeof (value as { name?: unknown } | null)?.name === 'string')

/** The transports for use in this process. */
export const someTransports: OptionalCheck = optional(listOf(aTransport, 'transports'))

const aBridgeLine = either('', aString, (value, path) => {
  const { transport, address } = (anObject(value, path) === undefined ? value : {}) as Record<string, unknown>
  return typeof transport === 'string' && typeof address === 'string' ? undefined : path
})

export const someBridgeLines: Check = either(
  'a bridge line, what parseBridgeLine gives, or a list of them',
  aBridgeLine,
  listOf(aBridgeLine, ''),
)

export const bridgeChecks: Checks<OpenBridgeOptions> = {
  exec: optional(aCommand),
  transports: someTransports,
  stateDir: optional(aString),
  proxy: optional(aString),
  connectTimeout: optional(milliseconds(1)),
  halfOpen: optional(aBoolean),
  likePt: optional(aBoolean),
  restart: optional(restartCheck),
  strategy: optional(oneOf('failover', 'race')),
  signal: optional(aSignal),
  open: optional(aFunction),
  secrets: optional(listOf(aString, 'strings')),
  require: optional(oneOf('all', 'any')),
  onPassedOver: optional(aFunction),
  onPtEvent: optional(aFunction),
}

export const connectChecks: Checks<BridgeConnectOptions> = { signal: optional(aSignal) }

const { destination: _destination, onConnection: _onConnection, ...launchServerChecks } = serverChecks

export const bridgeServerChecks: Checks<BridgeServerOptions> = {
  ...launchServerChecks,
  exec: optional(aCommand),
  implementations: someTransports,
  maxConnections: optional(wholeNumber(1)),
  halfOpen: optional(aBoolean),
  transports: listOf(aTextOr(serverTransportCheck), 'names of transports, or objects with name'),
}

export const bridgeTestChecks: Checks<BridgeTestOptions> = {
  dialer: expecting('a dialer', (value) => typeof (value as { dial?: unknown } | null)?.dial === 'function'),
  timeout: milliseconds(1),
  connectFirst: aBoolean,
  signal: optional(aSignal),
}
