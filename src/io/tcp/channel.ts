/**
 * A TCP connection below its stream. It has one face, whichever class the stream is of:
 *
 *     TcpSocket (tcp-socket.ts)      which this package opens and accepts; it is its own channel
 *     net.Socket of Node             which others open and accept; node-channel.ts has the adapter
 *
 * channelOf() in node-channel.ts gives the channel of a stream.
 */
import type { Duplex } from 'node:stream'
import { isLent } from './read-memory.ts'

/** A TCP connection as a stream, of either class. */
export interface TcpConn extends Duplex {
  /** How many bytes were read of the connection. */
  readonly bytesRead: number
  /** How many bytes were given to the connection to be sent. */
  readonly bytesWritten: number
  /** Undefined after the connection has closed, as is the port. */
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  /** The connection keeps the process running, which is the default. */
  ref(): this
  /** The connection does not keep the process running. */
  unref(): this
}

/** The owner of a connection's reads: bytes that arrive go to it and not into the stream. */
export interface ReadOwner {
  /** Takes the `length` bytes that lie at the beginning of the owner's memory. False stops reading; readOn() starts it again. */
  arrived(length: number): boolean
  /** The reads have been given to another owner. */
  replaced?(): void
}

export interface TcpChannel {
  /** The connection as a stream. It tells of the end, of errors and of the close, also while the reads have an owner. */
  readonly duplex: Duplex
  /** True if the reads can be given to an owner: the connection is open, and this Node has the means. */
  readonly canGiveReads: boolean
  /**
   * From now on bytes that arrive are put into `memory`, and `owner` is told of them. An owner before it is told that it is one no
   * more. Reading goes on as it was; readOn() starts it. Throws TypeError for memory that was not lent (read-memory.ts).
   */
  giveReadsTo(owner: ReadOwner, memory: Uint8Array): void
  /** Starts reading, or starts it again after the owner has stopped it. */
  readOn(): void
  /**
   * Writes past the stream's queue: the system takes most writes at once, and a stream does as much work for each of them as the
   * system does for a small one. True if the system has taken all, or never will because the connection has failed. False if
   * something waits: `bytes` may not be changed until `taken` is called, when the system has taken them. `taken` is perhaps
   * never called if the connection closes. What waits in the stream goes out first.
   */
  writeNow(bytes: Uint8Array, taken: () => void): boolean
  /**
   * Closes the connection with a reset, which says that something is missing. libuv refuses that while the end of the connection
   * is on its way, so such a connection is closed without one.
   */
  closeWithReset(): void
}

/** The property under which a stream has its channel. */
export const channelKey: unique symbol = Symbol('postern.channel')

/** A stream that may have a channel. */
export type MayHaveChannel = Duplex & { readonly [channelKey]?: TcpChannel }

/** The system writes into the memory of a read by a bare pointer, so that memory has to be lent. */
export function requireLent(memory: Uint8Array): Uint8Array {
  if (!isLent(memory)) throw new TypeError('a connection is read into lent memory only')
  return memory
}

let waiting: TcpChannel[] = []

/** Starts reading again in the next turn of the event loop, after all other connections have had theirs. */
export function readOnInTurn(channel: TcpChannel): void {
  if (waiting.push(channel) === 1) setImmediate(readAllOn)
}

function readAllOn(): void {
  const channels = waiting
  waiting = []
  for (const channel of channels) channel.readOn()
}
