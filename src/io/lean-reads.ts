/**
 * Reads of sockets for handshakes, which read little and often.
 *
 *     bytes arrive ── somebody waits for them ── they are enough ── taken; the surplus goes into the stream
 *                  └─ nobody waits           └─ too few         ── into the stream; the wait goes on by its events
 *
 * A read is a chunk of the length of what came, instead of a buffer of 64 KiB that is cut to it. And a wait costs one promise,
 * where the events of a stream would cost eight listeners and three turns of its loop.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { EndWatcher } from './ends.ts'
import { watchEnds } from './ends.ts'
import { readMemory } from './read-memory.ts'
import type { SharedSocket } from './shared-reads.ts'
import { canShareReads, shareReads } from './shared-reads.ts'

/** Who waits for bytes. */
export interface Waiting {
  /** Takes a chunk that is enough, and puts what it does not want into the stream; false, and nothing done, where it is not. */
  chunk(chunk: Buffer): boolean
  /** Goes on waiting by the events of the stream, which has the chunk. */
  listen(): void
  fail(error: Error): void
}

const key: unique symbol = Symbol('postern.leanReads')

export class LeanReads implements EndWatcher {
  readonly #socket: SharedSocket
  #waiting: Waiting | undefined

  constructor(socket: SharedSocket) {
    this.#socket = socket
    const memory = readMemory()
    shareReads(socket, memory, (length) => this.#arrived(Buffer.from(memory.subarray(0, length))))
    watchEnds(socket, this)
  }

  /** False, and nothing done, where the events of the stream have to be waited for. */
  wait(waiting: Waiting): boolean {
    const { readableLength, readableFlowing } = this.#socket
    // A stream that flows, or did, gives its bytes to others too.
    if (this.#waiting !== undefined || readableLength > 0 || readableFlowing !== null) return false
    this.#waiting = waiting
    // Takes nothing: it lets the stream say that it has ended, if it has.
    this.#socket.read(0)
    return true
  }

  /** False stops reading. */
  #arrived(chunk: Buffer): boolean {
    const waiting = this.#waiting
    if (waiting === undefined) return this.#socket.push(chunk)
    this.#waiting = undefined
    if (waiting.chunk(chunk)) return true
    this.#socket.push(chunk)
    waiting.listen()
    // Not what push() said: who waits may have taken it by now, or want more than the stream holds by itself.
    return this.#socket.readableLength < this.#socket.readableHighWaterMark
  }

  onEnd(): void {
    this.#waiting?.fail(this.#socket.errored ?? closedByPeer())
  }

  onClose(): void {
    this.onEnd()
  }

  /** Nobody waits any more. */
  stop(waiting: Waiting): void {
    if (this.#waiting === waiting) this.#waiting = undefined
  }
}

/** From now on `socket` is read so; where this Node cannot do it, nothing changes. */
export function leanReads(socket: Duplex): void {
  if (canShareReads(socket)) Object.assign(socket, { [key]: new LeanReads(socket) })
}

export function leanReadsOf(stream: Duplex): LeanReads | undefined {
  return (stream as { readonly [key]?: LeanReads })[key]
}

export function closedByPeer(): PtError {
  return new PtError('PT_CLOSED', 'the connection was closed by the peer')
}
