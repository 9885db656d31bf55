/** The address of a client, as USERADDR of the Extended ORPort says it: `<ip>:<port>`, IPv6 in brackets. */
import { isIP } from 'node:net'
import type { TcpConn } from '../io/tcp/channel.ts'
import { formatAddress, parseAddress } from '../ipc/index.ts'

/** tor refuses port 0. A header of a front names no port, so a port has to be made up, and 1 is clearly not a client's. */
const UNKNOWN_PORT = 1

/** The peer of `conn`. An IPv4 client of an IPv6 listener is said as IPv4, and an IPv6 address without its zone. */
export function peerOf({ remoteAddress, remotePort }: TcpConn): string | undefined {
  const host = remoteAddress === undefined ? undefined : plain(remoteAddress)
  if (host === undefined || remotePort === undefined || isIP(host) === 0) return undefined
  return formatAddress({ host, port: remotePort })
}

/**
 * What a transport says of its client, `<ip>:<port>` or `<ip>`. It may come from a header that the client itself has written, so
 * anything that is no address is undefined.
 */
export function readUserAddress(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length > 100) return undefined
  const bare = plain(text.replace(/^\[(.*)\]$/, '$1'))
  if (isIP(bare) !== 0) return formatAddress({ host: bare, port: UNKNOWN_PORT })
  try {
    const { host, port } = parseAddress(text)
    return formatAddress({ host: plain(host), port: port === 0 ? UNKNOWN_PORT : port })
  } catch {
    return undefined
  }
}

function plain(host: string): string {
  return host.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
}
