/**
 * The environment of a client. Section "Client Environment Variables", and the outbound bind addresses of pt-spec 3.2.1.
 *
 *     TOR_PT_CLIENT_TRANSPORTS=obfs2,obfs3,obfs4
 *     TOR_PT_PROXY=socks5://tor:test1234@198.51.100.1:8000
 *     TOR_PT_OUTBOUND_BIND_ADDRESS_V4=203.0.113.4     TOR_PT_OUTBOUND_BIND_ADDRESS_V6=[2001:db8::4]
 */
import { isIPv4, isIPv6 } from 'node:net'
import { PtError } from '../error.ts'
import type { CommonEnvironment, Environment } from './environment.ts'
import { envError, formatCommon, readCommon, readNames } from './environment.ts'
import { quoted } from './line.ts'
import { formatNames } from './name.ts'
import type { ProxyUri } from './proxy-uri.ts'
import { formatProxyUri, parseProxyUri } from './proxy-uri.ts'

/** The source addresses of outgoing connections, without brackets. They are not used towards loopback. */
export interface OutboundBind {
  readonly v4?: string
  readonly v6?: string
}

/** What a client is told by its environment, except TOR_PT_PROXY. */
export interface ClientEnvironment extends CommonEnvironment {
  readonly transports: readonly string[]
  readonly outboundBind: OutboundBind
}

/** Reads all but TOR_PT_PROXY, whose errors have a message and a moment of their own. Throws PT_ENV. */
export function readClientEnvironment(env: Environment): ClientEnvironment {
  return {
    ...readCommon(env),
    transports: readNames(env, 'TOR_PT_CLIENT_TRANSPORTS'),
    outboundBind: readOutboundBind(env),
  }
}

/** Reads the upstream proxy; undefined if none is to be used. Throws PT_PROXY_URI. */
export function readProxy(env: Environment): ProxyUri | undefined {
  const uri = env['TOR_PT_PROXY']
  return uri ? parseProxyUri(uri) : undefined
}

/** Reads the outbound bind addresses; they are read in the same way if a server is given them. Throws PT_ENV. */
export function readOutboundBind(env: Environment): OutboundBind {
  const v4 = env['TOR_PT_OUTBOUND_BIND_ADDRESS_V4']
  const v6 = env['TOR_PT_OUTBOUND_BIND_ADDRESS_V6']
  if (v4 && !isIPv4(v4)) throw envError('TOR_PT_OUTBOUND_BIND_ADDRESS_V4', `is no IPv4 address: ${quoted(v4)}`)
  const bare = v6 ? /^\[(.*)\]$/.exec(v6)?.[1] : undefined
  if (v6 && !isIPv6(bare ?? '')) {
    throw envError('TOR_PT_OUTBOUND_BIND_ADDRESS_V6', `is no IPv6 address in brackets: ${quoted(v6)}`)
  }
  return { ...(v4 ? { v4 } : {}), ...(bare === undefined ? {} : { v6: bare }) }
}

/** What a parent tells a client: formatClientEnvironment turns it into variables. */
export interface ClientConfiguration {
  readonly transports: readonly string[]
  readonly stateDir: string
  readonly proxy?: ProxyUri | undefined
  readonly outboundBind?: OutboundBind | undefined
  readonly versions?: readonly string[]
}

/** The variables that a parent sets for a client (CENV-1); TOR_PT_PROXY is among them only if there is a proxy (CENV-5). */
export function formatClientEnvironment(config: ClientConfiguration): Record<string, string> {
  if (config.transports.length === 0) throw new PtError('PT_ENV', 'TOR_PT_CLIENT_TRANSPORTS names no transport')
  return {
    ...formatCommon(config.stateDir, config.versions),
    TOR_PT_CLIENT_TRANSPORTS: formatNames(config.transports),
    ...(config.proxy === undefined ? {} : { TOR_PT_PROXY: formatProxyUri(config.proxy) }),
    ...formatOutboundBind(config.outboundBind),
  }
}

/** Writes the variables of the outbound bind addresses; without an address there is no variable. Throws PT_ENV. */
export function formatOutboundBind({ v4, v6 }: OutboundBind = {}): Record<string, string> {
  const variables = {
    ...(v4 === undefined ? {} : { TOR_PT_OUTBOUND_BIND_ADDRESS_V4: v4 }),
    ...(v6 === undefined ? {} : { TOR_PT_OUTBOUND_BIND_ADDRESS_V6: `[${v6}]` }),
  }
  readOutboundBind(variables)
  return variables
}
