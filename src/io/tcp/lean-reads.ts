/**
 * Reads of sockets for handshakes, which read little and often.
 *
 *     bytes arrive ── somebody waits for them ── they are enough ── taken; the surplus goes into the stream
 *                  └─ nobody waits           └─ too few         ── into the stream; the wait goes on by its events
 *
 * A read is a chunk of the length of what came, instead of a buffer of 64 KiB that is cut to it. And a wait costs one promise,
 * where the events of a stream would cost eight listeners and three turns of its loop.
 *
 * Sparing reads take from the system only what the handshake asks for, and only while it waits. If the handshake fails and the
 * connection is closed, what it did not ask for is still unread, and the system then sends a reset (RST) in place of a FIN.
 * The Go programs read in this way, so an observer could otherwise tell us from them by how a failed handshake ends.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../../error.ts'
import type { EndWatcher } from '../ends.ts'
import { watchEnds } from '../ends.ts'
import { readMemory } from './read-memory.ts'
import type { SharedSocket } from './shared-reads.ts'
import { canShareReads, readOn, shareReads } from './shared-reads.ts'

/** Who waits for bytes. */
export interface Waiting {
  /** Takes a chunk that is enough, and puts what it does not want into the stream; false, and nothing done, where it is not. */
  chunk(chunk: Buffer): boolean
  /** Goes on waiting by the events of the stream, which has the chunk. */
  listen(): void
  fail(error: Error): void
  /** How many bytes it wants, if it knows. */
  readonly wanted: number | undefined
}

const key: unique symbol = Symbol('postern.leanReads')

export class LeanReads implements EndWatcher {
  readonly #socket: SharedSocket
  #waiting: Waiting | undefined
  /** How many bytes a sparing read takes for somebody who does not know how many are wanted; undefined if reads are not sparing. */
  #most: number | undefined
  /** How many bytes the next read can take. */
  #room = 0
  /** Sparing reads: what has come for the one who waits, and is not enough yet. */
  #pieces: Buffer[] = []
  #length = 0

  constructor(socket: SharedSocket) {
    this.#socket = socket
    this.#readUpTo(readMemory().length)
    watchEnds(socket, this)
  }

  /** From now on reads are sparing. */
  spare(most: number): void {
    this.#most = most
    this.#readUpTo(most)
  }

  /** Reads take what there is again, whoever waits. */
  spend(): void {
    if (this.#most === undefined) return
    this.#most = undefined
    this.#readUpTo(readMemory().length)
    readOn(this.#socket)
  }

  /** The system is told only if it changes: Node keeps a little memory for each time until the socket is closed. */
  #readUpTo(length: number): void {
    if (length === this.#room) return
    this.#room = length
    const memory = readMemory().subarray(0, length)
    shareReads(this.#socket, memory, (read) => this.#arrived(Buffer.from(memory.subarray(0, read))))
  }

  /** False, and nothing done, where the events of the stream have to be waited for. */
  wait(waiting: Waiting): boolean {
    const { readableLength, readableFlowing } = this.#socket
    // A stream that flows, or did, gives its bytes to others too.
    if (this.#waiting !== undefined || readableLength > 0 || readableFlowing !== null) return false
    this.#waiting = waiting
    if (this.#most !== undefined) this.#readUpTo(waiting.wanted ?? this.#most)
    // Takes nothing: it lets the stream say that it has ended, if it has.
    this.#socket.read(0)
    if (this.#most !== undefined) readOn(this.#socket)
    return true
  }

  /** False stops reading. */
  #arrived(chunk: Buffer): boolean {
    if (this.#most !== undefined) return this.#arrivedSparingly(chunk)
    const waiting = this.#waiting
    if (waiting === undefined) return this.#socket.push(chunk)
    this.#waiting = undefined
    if (waiting.chunk(chunk)) return true
    this.#socket.push(chunk)
    waiting.listen()
    // Not what push() said: who waits may have taken it by now, or want more than the stream holds by itself.
    return this.#socket.readableLength < this.#socket.readableHighWaterMark
  }

  /** False stops reading, which the next wait starts again. */
  #arrivedSparingly(chunk: Buffer): boolean {
    const waiting = this.#waiting
    if (waiting === undefined) {
      this.#socket.push(chunk)
      return false
    }
    this.#pieces.push(chunk)
    this.#length += chunk.length
    const missing = (waiting.wanted ?? 0) - this.#length
    if (missing > 0) {
      // A power of two, so that bytes that come one by one change it a dozen times at most.
      if (missing < this.#room) this.#readUpTo(2 ** Math.floor(Math.log2(missing)))
      return true
    }
    const bytes = this.#takePieces()
    this.#waiting = undefined
    if (waiting.chunk(bytes)) return false
    this.#waiting = waiting
    this.#pieces = [bytes]
    return true
  }

  #takePieces(): Buffer {
    const [first = Buffer.alloc(0), ...others] = this.#pieces
    this.#pieces = []
    this.#length = 0
    return others.length === 0 ? first : Buffer.concat([first, ...others])
  }

  onEnd(): void {
    this.#takePieces()
    this.#waiting?.fail(this.#socket.errored ?? closedByPeer())
  }

  onClose(): void {
    this.onEnd()
  }

  /** Nobody waits any more. */
  stop(waiting: Waiting): void {
    if (this.#waiting !== waiting) return
    if (this.#pieces.length > 0) this.#socket.push(this.#takePieces())
    this.#waiting = undefined
  }
}

/** From now on `socket` is read so; where this Node cannot do it, nothing changes. */
export function leanReads(socket: Duplex): void {
  if (canShareReads(socket)) Object.assign(socket, { [key]: new LeanReads(socket) })
}

/**
 * From now on `conn` takes from the system what its reader waits for and no more: readExactly() as many bytes as it was asked for,
 * every other reader up to `most` at a time. framed() and splice() read as usual again. If this Node cannot do that, or `conn` is
 * no TCP connection, nothing changes.
 */
export function spareReads(conn: Duplex, most: number): void {
  if (leanReadsOf(conn) === undefined) leanReads(conn)
  leanReadsOf(conn)?.spare(most)
}

export function leanReadsOf(stream: Duplex): LeanReads | undefined {
  return (stream as { readonly [key]?: LeanReads })[key]
}

export function closedByPeer(): PtError {
  return new PtError('PT_CLOSED', 'the connection was closed by the peer')
}
