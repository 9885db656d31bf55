/**
 * The address of a client that came through a front, such as a web server: the front writes it into X-Forwarded-For.
 *
 *     X-Forwarded-For: 203.0.113.99             from the client, who may write what it likes
 *     X-Forwarded-For: 198.51.100.7, 192.0.2.1  the last item of the last field is the front's own
 *
 * The header counts only if the connection comes from a front: from this machine, or from an address of the option `trust`.
 */
import type { Duplex } from 'node:stream'
import type { Subnet } from '../../addresses/subnets.ts'
import { holds, parseSubnet } from '../../addresses/subnets.ts'
import type { Field } from '../../http1/fields.ts'
import { lastValue, trimBlanks } from '../../http1/fields.ts'
import { formatAddress, isLoopback, parseAddress } from '../../ipc/index.ts'
import { ArgumentError } from '../argument.ts'

/** Says which TCP peers are fronts. */
export type Trust = (peer: string) => boolean

/** So many subnets may be trusted. */
const MOST_SUBNETS = 100
/** No address with a port and a zone is longer. */
const LONGEST = 100

/**
 * Reads the option `trust`: addresses and subnets, with commas between them. This machine is trusted in any case.
 * Throws PT_ARGS.
 */
export function parseTrust(text: string | undefined): Trust {
  const items = text?.split(',').map(trimBlanks) ?? []
  if (items.length > MOST_SUBNETS) throw new ArgumentError('trust', `it has more than ${MOST_SUBNETS} items`)
  const subnets = items.map(parseSubnet)
  if (!subnets.every((subnet): subnet is Subnet => subnet !== undefined)) {
    throw new ArgumentError('trust', 'it is no list of IP addresses and subnets, such as 10.0.0.0/8,192.0.2.1')
  }
  return (peer) => isLoopback(peer) || subnets.some((subnet) => holds(subnet, peer))
}

/**
 * The client's address as `ip:port` or `ip`, which is what a transport's server says of its client. It is the TCP peer if that is no
 * front, or if the front has written no address. Undefined if `conn` is no TCP connection, or has closed.
 */
export function clientAddress(conn: Duplex, fields: readonly Field[], trust: Trust): string | undefined {
  const { remoteAddress: host, remotePort: port } = conn as { remoteAddress?: string; remotePort?: number }
  if (host === undefined || port === undefined) return undefined
  const said = trust(host) ? readForwarded(lastValue(fields, 'X-Forwarded-For')) : undefined
  return said ?? formatAddress({ host, port })
}

/** Reads the last item of a value: an IP address, perhaps in brackets, perhaps with a port. A port 0 is left out, as tor refuses it. */
export function readForwarded(value: string | undefined): string | undefined {
  const item = trimBlanks(value?.split(',').at(-1) ?? '')
  if (item.length > LONGEST) return undefined
  const bare = item.replace(/^\[(.*)\]$/, '$1')
  if (isAddress(bare)) return bare
  // The grammar of the IPC reads IPv6 without brackets too, in which the port cannot be told from the last group.
  if (!/^(?:\[[^\]]*\]|[^:[\]]*):\d+$/.test(item)) return undefined
  try {
    const address = parseAddress(item)
    return address.port === 0 ? address.host : formatAddress(address)
  } catch {
    return undefined
  }
}

function isAddress(text: string): boolean {
  return !text.includes('/') && parseSubnet(text) !== undefined
}
