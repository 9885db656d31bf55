/**
 * One end of a session of polling.ts: a stream over messages, any of which may be lost with its connection.
 *
 *     message   <1 at the end, 1> <place of the payload in the stream, 4> <bytes received so far, 4> <length, 2> <payload>
 *
 * An end says its bytes again and again until the other end has them. The end of a stream counts as one byte.
 */
import { Duplex } from 'node:stream'
import { PtError } from 'postern'
import { readMessage } from 'postern/io'

const HEAD = 11
const MOST = 65_535

/** What is said of a session that does not exist: it acknowledges what was never sent. */
export const gone: Buffer = Buffer.concat([Buffer.alloc(HEAD - 2, 255), Buffer.alloc(2)])

/** Reads one message. */
export function nextMessage(conn: Duplex, signal: AbortSignal): Promise<Buffer> {
  return readMessage(conn, (held) => (held.length < HEAD ? undefined : HEAD + held.readUInt16BE(9)), signal)
}

/** True for a message with which a session can begin. */
export function isFirst(message: Buffer): boolean {
  return message.subarray(0, 9).every((byte) => byte === 0)
}

export class Session extends Duplex {
  #held: Uint8Array = new Uint8Array()
  #done: (() => void) | undefined
  readonly #own = { at: 0, end: 0, most: MOST }
  readonly #their = { at: 0, end: 0, isFull: false }
  readonly #idle: NodeJS.Timeout

  /** Without a message from the other end it fails after `idle` milliseconds. */
  constructor(idle: number) {
    super({ allowHalfOpen: true })
    const late = new PtError('PT_TIMEOUT', 'the other end of the session has gone')
    this.#idle = setTimeout(() => this.destroy(late), idle)
    this.on('close', () => clearTimeout(this.#idle))
  }

  /** The message that the other end should have next. */
  say(): Buffer {
    const payload = this.#held.subarray(0, this.#own.most)
    const head = Buffer.alloc(HEAD)
    head.writeUInt8(this.#own.end === 1 && payload.length === this.#held.length ? 1 : 0, 0)
    head.writeUInt32BE(this.#own.at >>> 0, 1)
    head.writeUInt32BE((this.#their.at + this.#their.end) >>> 0, 5)
    head.writeUInt16BE(payload.length, 9)
    return Buffer.concat([head, payload])
  }

  /** Takes a message of the other end. True if there is more to say at once. */
  hear(message: Buffer): boolean {
    const known = (message.readUInt32BE(5) - this.#own.at) >>> 0
    const left = this.#held.length + this.#own.end - known
    if (left < 0) throw this.destroy(new PtError('PT_CLOSED', 'the other end does not know the session')).errored
    this.#idle.refresh()
    // A payload that was not taken is tried again with one byte of it, until the other end has room.
    this.#own.most = known > 0 || this.#held.length === 0 ? MOST : 1
    this.#own.at += Math.min(known, this.#held.length)
    this.#held = this.#held.subarray(known)
    const done = this.#done
    if (left === 0) this.#done = undefined
    if (left === 0) done?.()
    return this.#take(message) || (this.#done !== undefined && this.#own.most > 1)
  }

  #take(message: Buffer): boolean {
    if (this.#their.isFull || this.#their.end === 1 || message.readUInt32BE(1) !== this.#their.at >>> 0) return false
    this.#their.at += message.length - HEAD
    if (message.length > HEAD) this.#their.isFull = !this.push(message.subarray(HEAD))
    if (message[0] === 1) this.#their.end = Number(!this.push(null))
    return message.length > HEAD
  }

  override _read(): void {
    this.#their.isFull = false
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.#held = chunk
    this.#done = done
  }

  override _final(done: () => void): void {
    this.#own.end = 1
    this.#done = done
  }
}
