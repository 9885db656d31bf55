/**
 * TOR_PT_PROXY. Section "Client Environment Variables" (CENV-4).
 *
 *     <socks5|socks4a|socks4|http> "://" [ <user> [ ":" <password> ] "@" ] <ip> ":" <port>
 *     socks5://tor:test1234@198.51.100.1:8000
 *
 * It is read by hand, as the URL class drops `:80` after http and rewrites hosts. Arti percent-encodes user and password and
 * C tor does not: the last '@' and the first ':' separate, and the text is decoded if every '%' in it starts an escape.
 */
import { isIP } from 'node:net'
import { PtError } from '../error.ts'
import type { Address } from './address.ts'
import { formatAddress, parseAddress } from './address.ts'
import { formatLine, quoted, toAscii } from './line.ts'

/** `socks4` (which Arti writes) is read as `socks4a`: the request is the same if the target is an IPv4 address. */
export type ProxyProtocol = 'socks5' | 'socks4a' | 'http'

/** An upstream proxy, as TOR_PT_PROXY names it. User and password are plain text, not percent-encoded. */
export interface ProxyUri {
  readonly protocol: ProxyProtocol
  readonly address: Address
  readonly user?: string
  readonly password?: string
}

/** Reads the URI. Throws PT_PROXY_URI whose `line` is the PROXY-ERROR to say; neither holds a user name or password. */
export function parseProxyUri(text: string): ProxyUri {
  const parts = /^([a-z][a-z0-9+.-]*):\/\/(?:(.*)@)?([^@/]*)\/?$/is.exec(text)
  if (parts === null) throw bad('expected <protocol>://[<user>[:<password>]@]<ip>:<port> and nothing after the port')
  const [, scheme, userinfo, host] = parts
  const proxy = { protocol: parseProtocol(scheme!), address: parseHost(host!), ...parseUserinfo(userinfo) }
  checkCredentials(proxy)
  return proxy
}

/** Writes the URI as a parent does, with user and password percent-encoded. */
export function formatProxyUri(proxy: ProxyUri): string {
  checkCredentials(proxy)
  const user = proxy.user === undefined ? '' : encodeURIComponent(proxy.user)
  const password = proxy.password === undefined ? '' : `:${encodeURIComponent(proxy.password)}`
  const userinfo = proxy.user === undefined && proxy.password === undefined ? '' : `${user}${password}@`
  if (isIP(proxy.address.host) === 0 || proxy.address.port === 0) throw bad('the proxy is not <ip>:<port>')
  return `${proxy.protocol}://${userinfo}${formatAddress(proxy.address).replace('%', '%25')}`
}

function parseProtocol(scheme: string): ProxyProtocol {
  const protocol = scheme.toLowerCase()
  if (protocol === 'socks4') return 'socks4a'
  if (protocol === 'socks5' || protocol === 'socks4a' || protocol === 'http') return protocol
  throw bad(`${quoted(protocol)} proxies are not supported; use socks5, socks4a or http`)
}

function parseHost(host: string): Address {
  let address: Address
  try {
    // The zone of a link-local address follows %25 in a URI (RFC 6874).
    address = parseAddress(host.replace(/^(\[[^%]*%)25(?=[^\]])/, '$1'))
  } catch (error) {
    throw bad('the proxy is not <ip>:<port>: an IP address (IPv6 in brackets) and a port are needed, not a name', error)
  }
  if (address.port === 0) throw bad('the port of the proxy is 0')
  return address
}

function parseUserinfo(userinfo: string | undefined): { user?: string; password?: string } {
  if (userinfo === undefined) return {}
  const colon = userinfo.indexOf(':')
  if (colon === -1) return { user: percentDecode(userinfo) }
  return { user: percentDecode(userinfo.slice(0, colon)), password: percentDecode(userinfo.slice(colon + 1)) }
}

function percentDecode(text: string): string {
  if (/%(?![0-9a-f]{2})/i.test(text)) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function checkCredentials({ protocol, user, password }: ProxyUri): void {
  if (user === undefined && password === undefined) return
  if (user === undefined || user === '') throw bad('the user name is empty')
  if (/\p{Surrogate}/u.test(`${user}\n${password}`)) throw bad('user name and password are not well-formed text')
  if (protocol === 'socks4a' && password !== undefined) throw bad('SOCKS 4 has no passwords')
  if (protocol === 'socks4a' && user.includes('\0')) throw bad('the user name holds a NUL')
  if (protocol === 'http' && user.includes(':')) throw bad('the user name holds a colon, which HTTP Basic cannot carry')
  if (protocol === 'socks5' && !(isFieldSize(user) && isFieldSize(password ?? ''))) {
    throw bad('SOCKS 5 wants a user name and a password of 1 to 255 bytes each')
  }
}

function isFieldSize(text: string): boolean {
  const size = Buffer.byteLength(text)
  return size >= 1 && size <= 255
}

function bad(why: string, cause?: unknown): PtError {
  const message = `TOR_PT_PROXY: ${why}`
  return new PtError('PT_PROXY_URI', message, { cause, line: formatLine('PROXY-ERROR', toAscii(message)).trimEnd() })
}
