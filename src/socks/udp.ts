/**
 * UDP ASSOCIATE as a client, and the head of each datagram. RFC 1928, sections 4 and 7.
 *
 *     request    05 03 00 01 00000000 0000  →  05 00 00 type addr port      ADDR PORT: for the datagrams
 *     datagram   0000 frag type addr port data
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import { silenceErrors } from '../io/ends.ts'
import type { Envelope } from '../io/udp/datagrams.ts'
import type { Address } from '../ipc/index.ts'
import { isIP } from 'node:net'
import { ask5 } from './client.ts'
import { encodeRequest5, encodeTarget5, login5 } from './client-messages.ts'
import { addressTypes, UDP_ASSOCIATE } from './wire.ts'

/** We do not say in advance from where datagrams will come, as a NAT may change that. */
const anywhere: Address = { host: '0.0.0.0', port: 0 }

/** Two reserved bytes, and the number of a fragment. */
const HEAD = 3

/**
 * Asks for an association, which lives as long as `conn`, and resolves with the address that takes the datagrams. Rejects as
 * connectSocks does, and with PT_SOCKS if that address is a name: a look-up would tell a resolver.
 */
export async function associateSocks(
  conn: Duplex,
  request: { readonly credentials?: { readonly user: string; readonly password?: string | undefined } | undefined },
  signal?: AbortSignal,
): Promise<Address> {
  silenceErrors(conn)
  try {
    const { bound, isName } = await ask5(conn, login5(request), encodeRequest5(UDP_ASSOCIATE, anywhere), signal)
    if (isName) throw new PtError('PT_SOCKS', 'the SOCKS server named a host, and no address, for datagrams')
    return { host: textOf(bound.subarray(0, -2)), port: bound.readUInt16BE(bound.length - 2) }
  } catch (error) {
    conn.destroy()
    throw error
  }
}

/** Puts the head for `target` in front of datagrams, and takes it off those that come from there. */
export function udpEnvelope(target: Address): Envelope {
  const head = Buffer.concat([Buffer.alloc(HEAD), encodeTarget5(target)])
  // Which address a name has is known to the proxy alone.
  const isName = isIP(target.host) === 0
  return {
    wrap: (datagram) => Buffer.concat([head, datagram]),
    unwrap(message) {
      const length = headLength(message)
      if (length === undefined || message[2] !== 0) return undefined
      if (!isName && !message.subarray(HEAD, length).equals(head.subarray(HEAD))) return undefined
      return message.subarray(length)
    },
  }
}

/** How long the head of a datagram is; undefined if it is not whole. */
function headLength(message: Buffer): number | undefined {
  const type = message[HEAD]
  const address =
    type === addressTypes.ipv4
      ? 4
      : type === addressTypes.ipv6
        ? 16
        : type === addressTypes.domain
          ? 1 + (message[HEAD + 1] ?? 0)
          : undefined
  if (address === undefined) return undefined
  const length = HEAD + 1 + address + 2
  return message.length < length ? undefined : length
}

function textOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16))
  return groups.join(':')
}
