/** What the options of bridges and tunnels have to be. The compiler wants a row for every option. */
import type { Check, Checks } from '../options.ts'
import {
  aBoolean,
  aCommand,
  aFunction,
  aSignal,
  aString,
  aTextOr,
  anAddress,
  anObject,
  either,
  expecting,
  listOf,
  milliseconds,
  oneOf,
  optional,
  someArgs,
  tableOf,
  wholeNumber,
} from '../options.ts'
import { restartCheck, serverChecks, serverTransportCheck } from '../parent/index.ts'
import type { Bridge, BridgeConnectOptions, OpenBridgeOptions } from './bridge.ts'
import type { BridgeServerOptions } from './bridge-server.ts'
import type { BridgeTestOptions } from './bridge-test.ts'
import type { TunnelClientOptions } from './tunnel-client.ts'
import type { TunnelServerOptions } from './tunnel-server.ts'

export const aBridge: Check = expecting('what openBridge gives', (value) => {
  return typeof (value as Bridge | null | undefined)?.connect === 'function'
})

/** A transport, or one that is loaded by its name. */
const aTransport = expecting('a transport', (value) => typeof (value as { name?: unknown } | null)?.name === 'string')

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
  transports: optional(listOf(aTransport, 'transports')),
  stateDir: optional(aString),
  proxy: optional(aString),
  connectTimeout: optional(milliseconds(1)),
  halfOpen: optional(aBoolean),
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
  transports: listOf(aTextOr(serverTransportCheck), 'names of transports, or objects with name'),
}

export const bridgeTestChecks: Checks<BridgeTestOptions> = {
  dialer: expecting('a dialer', (value) => typeof (value as { dial?: unknown } | null)?.dial === 'function'),
  timeout: milliseconds(1),
  connectFirst: aBoolean,
  signal: optional(aSignal),
}

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
  exec: aCommand,
  transport: aString,
  listen: aString,
  publicAddress: optional(aString),
  idleTimeout: optional(milliseconds(0)),
  options: optional(someArgs),
  stateDir: aString,
  forward: either(
    "{ type: 'address', target } or { type: 'socks', allow }",
    tableOf({ type: oneOf('address'), target: aString }),
    tableOf({ type: oneOf('socks'), allow: anObject }),
  ),
  onPtEvent: optional(aFunction),
}
