/** What the options of launchClient and launchServer have to be. The compiler wants a row for every option. */
import type { Check, Checks } from '../options.ts'
import {
  aBoolean,
  aCommand,
  aFunction,
  aSignal,
  aString,
  anAddress,
  anObject,
  either,
  expecting,
  listOf,
  milliseconds,
  oneOf,
  optional,
  orFalse,
  recordOf,
  someArgs,
  tableOf,
} from '../options.ts'
import type { ConnectOptions, LaunchClientOptions } from './client.ts'
import type { LaunchOptions } from './managed.ts'
import type { LaunchServerOptions, ServerTransportInit } from './server.ts'
import type { RestartOptions } from './supervise.ts'

const restart: Checks<RestartOptions> = {
  initialDelay: optional(milliseconds(0)),
  maxDelay: optional(milliseconds(0)),
  healthyAfter: optional(milliseconds(0)),
  maxRestarts: optional(
    expecting('a whole number of at least 0, or Infinity', (value) => {
      return Number.isInteger(value) ? (value as number) >= 0 : value === Number.POSITIVE_INFINITY
    }),
  ),
}

/** Takes false, or how a PT that has ended is started again. */
export const restartCheck: Check = orFalse(tableOf(restart))

const launch: Checks<LaunchOptions> = {
  exec: aCommand,
  stateDir: aString,
  env: optional(recordOf(aString)),
  require: optional(oneOf('all', 'any')),
  startTimeout: optional(milliseconds(1)),
  stopTimeout: optional(milliseconds(0)),
  restart: optional(restartCheck),
  signal: optional(aSignal),
  onEvent: optional(aFunction),
  secrets: optional(listOf(aString, 'strings')),
}

const outboundBind = optional(tableOf({ v4: optional(aString), v6: optional(aString) }))

export const clientChecks: Checks<LaunchClientOptions> = {
  ...launch,
  transports: listOf(aString, 'names of transports'),
  proxy: optional(either('the URI of a proxy, or what parseProxyUri gives', aString, anObject)),
  outboundBind,
  allowRemote: optional(aBoolean),
  connectTimeout: optional(milliseconds(1)),
}

const serverTransport: Checks<ServerTransportInit> = {
  name: aString,
  bindAddress: optional(anAddress),
  options: optional(someArgs),
}

/** The check of one entry of `transports`: a name, or a ServerTransportInit. */
export const serverTransportCheck: Check = tableOf(serverTransport)

/** A check for each option of launchServer, for packages that hand such options on. */
export const serverChecks: Checks<LaunchServerOptions> = {
  ...launch,
  transports: listOf(serverTransportCheck, 'transports, each with its name'),
  destination: optional(anObject),
  onConnection: optional(aFunction),
  outboundBind,
}

export const connectChecks: Checks<ConnectOptions> = { args: optional(someArgs), signal: optional(aSignal) }
