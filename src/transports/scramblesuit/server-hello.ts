/**
 * What a server makes of the first bytes of a connection: a UniformDH hello, a session ticket, more to come, or neither.
 * Pure: it neither answers nor remembers.
 */
import { equalBytes } from '../../crypto/equal-bytes.ts'
import { hmac16, macLength } from '../../crypto/hmac.ts'
import { uniformDhLength } from '../../crypto/uniform-dh.ts'
import { maxHello, tailLength, ticketLength } from './hello.ts'
import type { SessionKeys } from './keys.ts'
import { sessionKeys } from './keys.ts'

/** A hello that is authentic. Whether it is a replay is for the caller to find out, by its `mac` or its ticket. */
export interface ClientHello {
  /** How many bytes it took. */
  readonly size: number
  readonly mac: Buffer
  /** The hour of its MAC, which the answer repeats. */
  readonly epoch: number
  /** X of a UniformDH hello, or a ticket and the keys of its session. */
  readonly by: { readonly publicKey: Buffer } | { readonly keys: SessionKeys; readonly ticket: Buffer }
}

/** Why bytes can no longer become a hello. */
export type NoHello = 'mark' | 'mac'

/** Reads the bytes of one connection, all from its start, as often as more have come. `epoch` is the server's own hour. */
export type HelloReader = (bytes: Buffer, epoch: number) => ClientHello | NoHello | undefined

export interface HelloKeys {
  readonly secret: Uint8Array
  /** The master key of a ticket, if it is one of ours. */
  readonly openTicket: (ticket: Uint8Array) => Uint8Array | undefined
}

/** Makes a reader for one connection. It judges the first bytes once, however small the following pieces are. */
export function helloReader({ secret, openTicket }: HelloKeys): HelloReader {
  let ticket: { keys: SessionKeys; mark: Buffer } | false | undefined
  let mark: Buffer | undefined
  return (bytes, epoch) => {
    if (bytes.length < ticketLength + tailLength) return undefined
    ticket ??= readTicket(bytes.subarray(0, ticketLength), openTicket)
    if (ticket !== false) {
      const { keys } = ticket
      // Data may follow a ticket at once, so its mark may be anywhere. The observer of a ticket has also seen its mark: there
      // is nothing to learn from the time the search takes.
      const at = bytes.subarray(0, maxHello - macLength).indexOf(ticket.mark, ticketLength)
      return finish(bytes, at, keys.toServer.mac, epoch, { keys, ticket: Buffer.from(bytes.subarray(0, ticketLength)) })
    }
    if (bytes.length < uniformDhLength + tailLength) return undefined
    const publicKey = bytes.subarray(0, uniformDhLength)
    mark ??= hmac16(secret, publicKey)
    // Nothing follows this hello before it is answered. So the mark is at the tail or not there yet, and is compared, in
    // constant time, rather than searched.
    const at = bytes.length - tailLength
    const marked = at + tailLength <= maxHello && equalBytes(bytes.subarray(at, at + macLength), mark)
    return finish(bytes, marked ? at : -1, secret, epoch, { publicKey })
  }
}

function readTicket(bytes: Buffer, openTicket: HelloKeys['openTicket']): { keys: SessionKeys; mark: Buffer } | false {
  const master = openTicket(bytes)
  if (master === undefined) return false
  const keys = sessionKeys(master)
  return { keys, mark: hmac16(keys.toServer.mac, bytes) }
}

/** Checks the MAC that follows the mark at `at` (-1: none yet) for the hour and its two neighbours. */
function finish(
  bytes: Buffer,
  at: number,
  key: Uint8Array,
  hour: number,
  by: ClientHello['by'],
): ClientHello | NoHello | undefined {
  if (at === -1) return bytes.length < maxHello ? undefined : 'mark'
  const size = at + tailLength
  if (bytes.length < size) return undefined
  const [head, mac] = [bytes.subarray(0, size - macLength), bytes.subarray(size - macLength, size)]
  // All three are compared, so that the time does not show which hour it was.
  const epochs = [hour, hour - 1, hour + 1]
  const epoch = epochs[epochs.map((epoch) => equalBytes(hmac16(key, head, String(epoch)), mac)).indexOf(true)]
  return epoch === undefined ? 'mac' : { size, mac: Buffer.from(mac), epoch, by }
}
