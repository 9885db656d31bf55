/**
 * The reads of a connection during its handshake, in which little is read and often. It owns the reads until splice() takes them.
 *
 *     bytes arrive ── a reader waits, and they are enough ── it gets them; the surplus goes into the stream
 *                  └─ no reader waits, or too few came    ── into the stream; a reader that waits goes on by its events
 *
 * A read makes a chunk of the length of the bytes that came, instead of a buffer of 64 KiB that is cut to it. And a wait costs one
 * promise, while the events of a stream would cost eight listeners and three turns of its loop
 * (docs/decisions/0027-lean-reads.md).
 *
 * Bounded reads take from the system only what the handshake asks for, and only while it waits. If the handshake fails and the
 * connection is closed, the bytes that it did not ask for are still unread, and the system then sends an RST instead of a FIN. The
 * Go programs read in this way, so an observer could otherwise tell us from them by the end of a failed handshake
 * (docs/decisions/0035-sparing-reads.md).
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../../error.ts'
import type { EndWatcher } from '../ends.ts'
import { unwatchEnds, watchEnds } from '../ends.ts'
import type { ReadOwner, TcpChannel } from './channel.ts'
import { channelOf } from './node-channel.ts'
import { readMemory } from './read-memory.ts'

/** A reader that waits for bytes. */
export interface Waiting {
  /** Takes `chunk` if it is enough, and puts the surplus into the stream. Otherwise it does nothing and returns false. */
  chunk(chunk: Buffer): boolean
  /** Goes on waiting by the events of the stream, which holds the chunk. */
  listen(): void
  fail(error: Error): void
  /** How many bytes it waits for, if it knows. */
  readonly wanted: number | undefined
}

const key: unique symbol = Symbol('postern.handshakeReader')

type Read = Duplex & { [key]?: HandshakeReader | undefined }

export class HandshakeReader implements EndWatcher, ReadOwner {
  readonly #channel: TcpChannel
  readonly #stream: Read
  #waiting: Waiting | undefined
  /** How much one bounded read takes for a reader that does not know how much it waits for; undefined if reads are not bounded. */
  #most: number | undefined
  #memory: Uint8Array | undefined
  /** Of bounded reads: bytes that have come for the reader that waits, and are not enough yet. */
  #pieces: Buffer[] = []
  #length = 0

  constructor(channel: TcpChannel) {
    this.#channel = channel
    this.#stream = channel.duplex
    this.#readUpTo(readMemory().length)
    watchEnds(this.#stream, this)
  }

  /** From now on reads are bounded. */
  bound(most: number): void {
    this.#most = most
    this.#readUpTo(most)
  }

  /** From now on reads are bounded, and do not wait for a reader: bytes go into the stream, which flows. */
  flow(most: number): void {
    this.bound(most)
    // Readable takes itself to be reading, as the last bytes of the handshake did not pass through it.
    this.#channel.readOn()
  }

  /** From now on a read takes what there is again, and reading does not wait for a reader. */
  readFreely(): void {
    if (this.#most === undefined) return
    this.#most = undefined
    this.#readUpTo(readMemory().length)
    this.#channel.readOn()
  }

  /**
   * Starts to read for a stream that flows. A reader that waited was given its bytes past the stream, which therefore still takes the
   * system for reading and does not ask again by itself.
   */
  readOn(): void {
    this.#channel.readOn()
  }

  /** Tells the system only if the length changes: Node keeps a little memory for each time until the connection is closed. */
  #readUpTo(length: number): void {
    const all = readMemory()
    if (Math.min(length, all.length) === this.#memory?.length) return
    this.#memory = length < all.length ? all.subarray(0, length) : all
    this.#channel.giveReadsTo(this, this.#memory)
  }

  /** Takes a reader in. False, and nothing done, if it has to wait by the events of the stream. */
  wait(waiting: Waiting): boolean {
    const stream = this.#stream
    // A stream that flows, or did, gives its bytes to other listeners too.
    if (this.#waiting !== undefined || stream.readableFlowing !== null) return false
    if (this.#most === undefined) {
      if (stream.readableLength > 0) return false
    } else {
      this.#takeFromStream()
      this.#readUpTo(waiting.wanted === undefined ? this.#most : Math.max(1, waiting.wanted - this.#length))
    }
    this.#waiting = waiting
    // This takes nothing. It lets the stream say that it has ended, if it has.
    stream.read(0)
    if (this.#most !== undefined) this.#channel.readOn()
    return true
  }

  /** Bytes that an earlier reader left in the stream are too few for this one, or it would not wait. */
  #takeFromStream(): void {
    // Node 26 gives one chunk at a time.
    while (this.#stream.readableLength > 0) {
      const bytes = this.#stream.read() as Buffer | null
      if (bytes === null) return
      this.#hold(bytes)
    }
  }

  /** False stops reading. */
  arrived(length: number): boolean {
    const chunk = Buffer.from(this.#memory!.subarray(0, length))
    if (this.#most !== undefined) return this.#arrivedBounded(chunk)
    const waiting = this.#waiting
    if (waiting === undefined) return this.#stream.push(chunk)
    this.#waiting = undefined
    if (waiting.chunk(chunk)) return true
    this.#stream.push(chunk)
    waiting.listen()
    // The result of push() does not count: the reader may have taken the chunk by now, or want more than the stream holds by itself.
    return this.#stream.readableLength < this.#stream.readableHighWaterMark
  }

  /** False stops reading, and the next wait starts it again. */
  #arrivedBounded(chunk: Buffer): boolean {
    const waiting = this.#waiting
    if (waiting === undefined) {
      this.#stream.push(chunk)
      return false
    }
    this.#hold(chunk)
    const missing = (waiting.wanted ?? 0) - this.#length
    if (missing > 0) {
      // A power of two, so that bytes that come one by one change the length a dozen times at most.
      if (missing < this.#memory!.length) this.#readUpTo(2 ** Math.floor(Math.log2(missing)))
      return true
    }
    const bytes = this.#takePieces()
    this.#waiting = undefined
    if (waiting.chunk(bytes)) return false
    this.#waiting = waiting
    this.#hold(bytes)
    return true
  }

  #hold(bytes: Buffer): void {
    this.#pieces.push(bytes)
    this.#length += bytes.length
  }

  #takePieces(): Buffer {
    const [first = Buffer.alloc(0), ...others] = this.#pieces
    this.#pieces = []
    this.#length = 0
    return others.length === 0 ? first : Buffer.concat([first, ...others])
  }

  onEnd(): void {
    this.#takePieces()
    this.#waiting?.fail(this.#stream.errored ?? closedByPeer())
  }

  onClose(): void {
    this.onEnd()
  }

  /** `waiting` waits no more. */
  stop(waiting: Waiting): void {
    if (this.#waiting !== waiting) return
    if (this.#pieces.length > 0) this.#stream.push(this.#takePieces())
    this.#waiting = undefined
  }

  /** The handshake is over, and another owner has the reads. */
  replaced(): void {
    if (this.#pieces.length > 0) this.#stream.push(this.#takePieces())
    unwatchEnds(this.#stream, this)
    this.#stream[key] = undefined
  }
}

/**
 * Gives the reads of `conn` to a HandshakeReader, if it has none yet. If `conn` is no TCP connection, or this Node cannot do it,
 * nothing changes.
 */
export function startHandshakeReads(conn: Duplex): void {
  if (handshakeReaderOf(conn) !== undefined) return
  const channel = channelOf(conn)
  if (channel?.canGiveReads === true) Object.assign(conn, { [key]: new HandshakeReader(channel) })
}

/**
 * From now on `conn` takes from the system what its reader waits for and no more: readExactly() takes as many bytes as it was asked
 * for, every other reader up to `most` at a time. Until framed() is given the connection, only the readers of this entry may read
 * it. If `conn` is no TCP connection, or this Node cannot do it, nothing changes.
 */
export function boundReads(conn: Duplex, most: number): void {
  startHandshakeReads(conn)
  handshakeReaderOf(conn)?.bound(most)
}

/** Ends boundReads(): from now on a read takes what there is, and reading does not wait for a reader. */
export function readFreely(conn: Duplex): void {
  handshakeReaderOf(conn)?.readFreely()
}

/** The HandshakeReader that owns the reads of `stream`, if there is one. */
export function handshakeReaderOf(stream: Duplex): HandshakeReader | undefined {
  return (stream as Read)[key]
}

/** The error of a reader whose stream ends before its bytes have come. */
export function closedByPeer(): PtError {
  return new PtError('PT_CLOSED', 'the connection was closed by the peer')
}
