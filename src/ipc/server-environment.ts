/**
 * The environment of a server. Section "Server Environment Variables".
 *
 *     TOR_PT_SERVER_TRANSPORTS=obfs3,scramblesuit
 *     TOR_PT_SERVER_TRANSPORT_OPTIONS=scramblesuit:key=banana;automata:rule=110;automata:depth=3
 *     TOR_PT_SERVER_BINDADDR=obfs3-198.51.100.1:1984,scramblesuit-127.0.0.1:4891
 *     TOR_PT_ORPORT=127.0.0.1:9001
 *     TOR_PT_EXTENDED_SERVER_PORT=127.0.0.1:4200
 *     TOR_PT_AUTH_COOKIE_FILE=/var/lib/tor/extended_orport_auth_cookie
 */
import { isAbsolute } from 'node:path'
import { PtError } from '../error.ts'
import type { Address } from './address.ts'
import { formatIpAddress, parseAddress } from './address.ts'
import type { ArgsInit } from './args.ts'
import { Args, formatTransportOptions, parseTransportOptions } from './args.ts'
import type { CommonEnvironment, Environment } from './environment.ts'
import { envError, formatCommon, readCommon, readNames } from './environment.ts'
import { quoted } from './line.ts'
import { formatNames } from './name.ts'

/** The address of a transport for which none is given: every IPv4 interface, a port of the system's choice. */
export const DEFAULT_BIND_ADDRESS: Address = { host: '0.0.0.0', port: 0 }

/** The service that decoded traffic goes to. The extended port is preferred if both are set (SENV-11). */
export type Destination =
  | { readonly type: 'orPort'; readonly address: Address }
  | {
      readonly type: 'extendedOrPort'
      readonly address: Address
      /** The path is absolute; a PT may read a relative one if its parent breaks SENV-13. */
      readonly cookieFile: string
    }

/** What a server is told by its environment. */
export interface ServerEnvironment extends CommonEnvironment {
  /** The requested transports in the order of TOR_PT_SERVER_TRANSPORTS, each with its address and options. */
  readonly transports: readonly ServerTransport[]
  readonly destination: Destination
}

/** One transport that a server is to launch. */
export interface ServerTransport {
  readonly name: string
  readonly options: Args
  /** Undefined if TOR_PT_SERVER_BINDADDR has no address for the transport. */
  readonly bindAddress: Address | undefined
}

/** Reads the environment of a server. Throws PT_ENV with the ENV-ERROR to say. Names that were not requested are ignored in every variable. */
export function readServerEnvironment(env: Environment): ServerEnvironment {
  const common = readCommon(env)
  const names = readNames(env, 'TOR_PT_SERVER_TRANSPORTS')
  const bind = readBindAddresses(env)
  const options = readOptions(env)
  const transports = names.map((name) => ({
    name,
    options: options.get(name) ?? Args.none,
    bindAddress: bind.get(name),
  }))
  return { ...common, transports, destination: readDestination(env) }
}

function readBindAddresses(env: Environment): Map<string, Address> {
  const variable = 'TOR_PT_SERVER_BINDADDR'
  const addresses = new Map<string, Address>()
  const list = env[variable]
  for (const item of list ? list.split(',') : []) {
    const dash = item.indexOf('-')
    if (dash < 1) throw envError(variable, `has an item that is not <name>-<ip>:<port>: ${quoted(item)}`)
    const name = item.slice(0, dash)
    // Choosing one of two would be a guess (SENV-9).
    if (addresses.has(name)) throw envError(variable, `has two addresses for ${quoted(name)}`)
    addresses.set(name, readAddress(variable, item.slice(dash + 1)))
  }
  return addresses
}

function readOptions(env: Environment): Map<string, Args> {
  const variable = 'TOR_PT_SERVER_TRANSPORT_OPTIONS'
  try {
    return parseTransportOptions(env[variable] ?? '')
  } catch (error) {
    throw envError(variable, `is malformed: ${(error as Error).message}`, error)
  }
}

function readDestination(env: Environment): Destination {
  const extended = env['TOR_PT_EXTENDED_SERVER_PORT']
  const orPort = env['TOR_PT_ORPORT']
  if (extended) {
    const cookieFile = env['TOR_PT_AUTH_COOKIE_FILE']
    if (!cookieFile) throw envError('TOR_PT_AUTH_COOKIE_FILE', 'is not set, and TOR_PT_EXTENDED_SERVER_PORT needs it')
    return { type: 'extendedOrPort', address: readPeer('TOR_PT_EXTENDED_SERVER_PORT', extended), cookieFile }
  }
  if (orPort) return { type: 'orPort', address: readPeer('TOR_PT_ORPORT', orPort) }
  throw envError('TOR_PT_ORPORT', 'and TOR_PT_EXTENDED_SERVER_PORT are both unset: decoded traffic has nowhere to go')
}

function readAddress(variable: string, text: string): Address {
  try {
    return parseAddress(text)
  } catch (error) {
    throw envError(variable, `has a ${(error as Error).message}: ${quoted(text)}`, error)
  }
}

/** Reads an address to connect to. */
function readPeer(variable: string, text: string): Address {
  const address = readAddress(variable, text)
  if (address.port === 0) throw envError(variable, `has port 0, on which no program listens: ${quoted(text)}`)
  return address
}

/** What a parent tells a server: formatServerEnvironment turns it into variables. */
export interface ServerConfiguration {
  readonly transports: readonly {
    readonly name: string
    readonly options?: ArgsInit | undefined
    readonly bindAddress?: Address | undefined
  }[]
  readonly stateDir: string
  readonly destination: Destination
  readonly versions?: readonly string[]
}

/**
 * The variables that a parent sets for a server (SENV-1). Every transport gets a bind address (SENV-7, SENV-9), because
 * goptlib refuses to start without; TOR_PT_EXTENDED_SERVER_PORT is empty if the ExtORPort is not used (SENV-12).
 */
export function formatServerEnvironment(config: ServerConfiguration): Record<string, string> {
  const { transports, destination } = config
  if (transports.length === 0) throw new PtError('PT_ENV', 'TOR_PT_SERVER_TRANSPORTS names no transport')
  const names = formatNames(transports.map((transport) => transport.name))
  const bind = transports.map(
    ({ name, bindAddress }) => `${name}-${formatIpAddress(bindAddress ?? DEFAULT_BIND_ADDRESS)}`,
  )
  const options = formatTransportOptions(transports.map(({ name, options }) => [name, options ?? Args.none]))
  return {
    ...formatCommon(config.stateDir, config.versions),
    TOR_PT_SERVER_TRANSPORTS: names,
    TOR_PT_SERVER_BINDADDR: bind.join(','),
    ...(options === '' ? {} : { TOR_PT_SERVER_TRANSPORT_OPTIONS: options }),
    ...formatDestination(destination),
  }
}

function formatDestination(destination: Destination): Record<string, string> {
  const address = formatIpAddress(destination.address)
  const variables: Record<string, string> =
    destination.type === 'extendedOrPort'
      ? { TOR_PT_EXTENDED_SERVER_PORT: address, TOR_PT_AUTH_COOKIE_FILE: destination.cookieFile }
      : { TOR_PT_ORPORT: address, TOR_PT_EXTENDED_SERVER_PORT: '' }
  readDestination(variables)
  if (destination.type === 'extendedOrPort' && !isAbsolute(destination.cookieFile)) {
    throw envError('TOR_PT_AUTH_COOKIE_FILE', `is no absolute path: ${quoted(destination.cookieFile)}`)
  }
  return variables
}
