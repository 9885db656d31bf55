/**
 * The body of USERADDR (proposal 196, section 3.1.2.1): the address that the client came from.
 *
 *     198.51.100.7:5678   [2001:db8::7]:5678
 */
import { isIP } from 'node:net'
import { PtError } from '../error.ts'
import type { Address } from '../ipc/index.ts'
import { formatAddress, parseAddress } from '../ipc/index.ts'

/**
 * Reads the body. An address without a port is read as one with port 0: tor takes that too, as some PTs send it (ticket 23080).
 * Throws PT_EXTOR; the message does not repeat the address.
 */
export function parseUserAddress(text: string): Address {
  const bare = text.replace(/^\[(.*)\]$/s, '$1')
  if (isIP(bare) !== 0 && !bare.includes('%') && (bare === text || isIP(bare) === 6)) return { host: bare, port: 0 }
  // parseAddress would read IPv6 without brackets, in which the port cannot be told from the last group.
  if (!/^(?:\[[^\]%]*\]|[^:]*):\d+$/.test(text)) throw malformed()
  try {
    return parseAddress(text)
  } catch {
    throw malformed()
  }
}

/**
 * Writes the body from `<ip>:<port>`: without the zone of a link-local address, which means nothing to others, and with a
 * v4-mapped address as the IPv4 address that it is, which is what GeoIP knows. Throws PT_EXTOR.
 */
export function formatUserAddress(text: string): string {
  let address: Address
  try {
    address = parseAddress(text)
  } catch {
    throw malformed()
  }
  const host = address.host.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
  return formatAddress({ host, port: address.port })
}

function malformed(): PtError {
  return new PtError('PT_EXTOR', "a client's address is not <ip>:<port>")
}
