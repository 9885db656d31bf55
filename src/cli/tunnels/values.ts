/** What single values of a tunnel have to be. Each function reads a text once; what it throws says why the text is wrong. */
import { isIP } from 'node:net'
import type { AllowList } from '../../app/index.ts'
import { parseAllowList, parseNamedProxy } from '../../app/index.ts'
import type { Address } from '../../ipc/index.ts'
import { isHostName, isLoopback, parseAddress, parseTarget } from '../../ipc/index.ts'

export function listenAddress(text: string): Address {
  requireIp(text)
  return parseAddress(text)
}

/** An address of this machine alone. */
export function loopbackAddress(text: string): Address {
  const address = listenAddress(text)
  if (isLoopback(address.host)) return address
  throw new Error('it is not an address of this machine alone (127.0.0.1 or [::1])')
}

export function hostName(text: string): string {
  if (isIP(text) === 0 && !isHostName(text)) throw new Error('it is neither a host name nor an IP address')
  return text
}

/** The service behind a bridge, or the word `socks`. */
export function forwardTarget(text: string): Address | 'socks' {
  return text === 'socks' ? text : withPort(parseTarget(text))
}

/** Reads the address at which clients reach this machine. Without a port it is the one that is listened on. */
export interface PublicAddress {
  readonly host: string
  readonly port: number | undefined
}

export function publicAddress(text: string): PublicAddress {
  const host = text.replace(/^\[(.*)\]$/, '$1')
  if (isIP(host) !== 0 || isHostName(host)) return { host, port: undefined }
  return withPort(parseTarget(text))
}

/** Checks the URI of an upstream proxy, which travels on as a text. */
export function proxyUri(text: string): string {
  try {
    parseNamedProxy(text)
    return text
  } catch (error) {
    // The user of a command line has not heard of this variable.
    throw new Error((error as Error).message.replace(/^TOR_PT_PROXY: /, ''), { cause: error })
  }
}

export function allowList(rules: readonly string[]): AllowList {
  return parseAllowList(rules)
}

/** The password of a port. */
export function secret(text: string): string {
  const size = Buffer.byteLength(text)
  if (size < 8 || size > 255) throw new Error('the secret has to have 8 to 255 bytes')
  return text
}

function withPort(address: Address): Address {
  if (address.port === 0) throw new Error('the port is 0')
  return address
}

/** Says what to write if a name, or a port alone, is given as the address to listen on. */
function requireIp(text: string): void {
  const [, host = '', port = ''] = /^(?:(.*):)?(\d{1,5})$/s.exec(text) ?? []
  if (port === '' || isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0 || Number(port) > 65_535) return
  const here = `write 127.0.0.1:${port}, or [::1]:${port} for IPv6`
  if (host.toLowerCase() === 'localhost') throw new Error(`malformed address: it takes an IP address: ${here}`)
  if (host === '' || host === '*')
    throw new Error(`malformed address: the IP address is missing: ${here}; 0.0.0.0:${port} is open to all machines`)
  if (isHostName(host))
    throw new Error('malformed address: it takes an IP address and no name: write the address of this machine')
}
