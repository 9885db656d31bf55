/**
 * Awaiting bytes of a stream. Bytes that were not asked for stay in the stream, so the next reader misses nothing.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { Cancellation } from './wait/cancellation.ts'
import type { Waiting } from './tcp/handshake-reader.ts'
import { closedByPeer, handshakeReaderOf } from './tcp/handshake-reader.ts'

/** Reads exactly `length` bytes. Rejects with PT_CLOSED if the stream ends before they have come, or with the signal's reason. */
export function readExactly(conn: Duplex, length: number, signal?: Cancellation): Promise<Buffer> {
  if (length === 0) return Promise.resolve(Buffer.alloc(0))
  return awaitBytes(conn, signal, new Exactly(length))
}

/** Reads the bytes that there are, at least one. Rejects with PT_CLOSED at the end of the stream, or with the signal's reason. */
export function readSome(conn: Duplex, signal?: Cancellation): Promise<Buffer> {
  return awaitBytes(conn, signal, some)
}

/**
 * Reads one message whose own bytes say how long it is. `lengthOf` is given all bytes that have come so far, and returns the length
 * of the message once that is known, or throws; it has to set a limit. Bytes after the message go back into the stream.
 */
export function readMessage(
  conn: Duplex,
  lengthOf: (held: Buffer) => number | undefined,
  signal?: Cancellation,
): Promise<Buffer> {
  return awaitBytes(conn, signal, new Message(lengthOf))
}

/**
 * Reads up to and including the first `delimiter`. Rejects with PT_LIMIT if the first `limit` bytes hold none. Bytes after the
 * delimiter go back into the stream.
 */
export function readUntil(conn: Duplex, delimiter: Uint8Array, limit: number, signal?: Cancellation): Promise<Buffer> {
  let searched = 0
  const lengthOf = (held: Buffer): number | undefined => {
    const at = held.indexOf(delimiter, searched)
    const end = at + delimiter.length
    if (at !== -1 && end <= limit) return end
    if (at !== -1 || held.length >= limit) {
      throw new PtError('PT_LIMIT', `${limit} bytes arrived without the end of the message`)
    }
    searched = Math.max(0, held.length - delimiter.length + 1)
    return undefined
  }
  return readMessage(conn, lengthOf, signal)
}

/** Gives `held`, if there is any yet, followed by `chunk`. A single piece is not copied. */
export function appended(held: Buffer | undefined, chunk: Buffer): Buffer {
  return held === undefined ? chunk : Buffer.concat([held, chunk])
}

/** The bytes that a reader waits for. They are in the stream, or in a chunk that has just arrived. */
interface Wanted {
  /** Takes them from the stream; undefined if they have not come yet. Throws if they never will. */
  fromStream(conn: Duplex): Buffer | undefined
  /** How many there are, if that is known before any of them has come. */
  readonly length?: number
  /** Gives them if `chunk`, after the bytes that are held, completes them; undefined, and nothing done, if it does not. */
  fromChunk(chunk: Buffer): Buffer | undefined
  /** How many of their bytes have been taken from the stream already. */
  readonly held: number
}

class Exactly implements Wanted {
  readonly length: number
  readonly held = 0

  constructor(length: number) {
    this.length = length
  }

  fromStream(conn: Duplex): Buffer | undefined {
    const bytes = conn.read(this.length) as Buffer | null
    if (bytes === null || bytes.length === this.length) return bytes ?? undefined
    conn.unshift(bytes)
    throw new PtError('PT_CLOSED', `the connection was closed before ${this.length} bytes arrived`)
  }

  fromChunk(chunk: Buffer): Buffer | undefined {
    return chunk.length < this.length ? undefined : firstOf(chunk, this.length)
  }
}

const some: Wanted = {
  held: 0,
  fromStream: (conn) => (conn.read() as Buffer | null) ?? undefined,
  fromChunk: (chunk) => chunk,
}

class Message implements Wanted {
  readonly #lengthOf: (held: Buffer) => number | undefined
  #held: Buffer | undefined

  constructor(lengthOf: (held: Buffer) => number | undefined) {
    this.#lengthOf = lengthOf
  }

  get held(): number {
    return this.#held?.length ?? 0
  }

  fromStream(conn: Duplex): Buffer | undefined {
    for (let chunk = conn.read() as Buffer | null; chunk !== null; chunk = conn.read() as Buffer | null) {
      const held = appended(this.#held, chunk)
      const length = this.#lengthOf(held)
      this.#held = held
      if (length === undefined || length > held.length) continue
      // This has to be done in the turn of read(): a stream that is at its end says so after it, and then takes nothing back.
      if (length < held.length) conn.unshift(held.subarray(length))
      return held.subarray(0, length)
    }
    return undefined
  }

  fromChunk(chunk: Buffer): Buffer | undefined {
    const held = appended(this.#held, chunk)
    const length = this.#lengthOf(held)
    return length === undefined || length > held.length ? undefined : firstOf(held, length)
  }
}

function firstOf(bytes: Buffer, length: number): Buffer {
  return length === bytes.length ? bytes : bytes.subarray(0, length)
}

function awaitBytes(conn: Duplex, signal: Cancellation | undefined, wanted: Wanted): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    // A reset between two reads would end the process if there were no listener. The next read rejects with it.
    if (conn.listenerCount('error') === 0) conn.on('error', ignore)
    if (isOpen(conn) && conn.readableLength > 0) {
      // Bytes that have come already need no wait.
      const bytes = wanted.fromStream(conn)
      if (bytes !== undefined) return resolve(bytes)
      signal?.throwIfAborted()
    }
    if (!isOpen(conn)) throw conn.errored ?? closedByPeer()
    new Wait(conn, signal, wanted, resolve, reject).begin()
  })
}

function isOpen(conn: Duplex): boolean {
  return !conn.readableEnded && !conn.destroyed
}

/** One wait. It is a class because a closure for each of its ends would cost more than everything else that it does. */
class Wait implements Waiting {
  readonly #conn: Duplex
  readonly #signal: Cancellation | undefined
  readonly #wanted: Wanted
  readonly #resolve: (bytes: Buffer) => void
  readonly #reject: (error: Error) => void
  /** Takes the listeners off the stream again. */
  #stop: (() => void) | undefined

  constructor(
    conn: Duplex,
    signal: Cancellation | undefined,
    wanted: Wanted,
    resolve: (bytes: Buffer) => void,
    reject: (error: Error) => void,
  ) {
    this.#conn = conn
    this.#signal = signal
    this.#wanted = wanted
    this.#resolve = resolve
    this.#reject = reject
  }

  get wanted(): number | undefined {
    return this.#wanted.length
  }

  begin(): void {
    this.#signal?.addEventListener('abort', this)
    if (handshakeReaderOf(this.#conn)?.wait(this) !== true) this.listen()
  }

  /** The signal calls this when it aborts. */
  handleEvent(): void {
    this.fail(this.#signal?.reason as Error)
  }

  chunk(chunk: Buffer): boolean {
    let bytes: Buffer | undefined
    try {
      bytes = this.#wanted.fromChunk(chunk)
    } catch (error) {
      this.fail(error as Error)
      return true
    }
    if (bytes === undefined) return false
    this.#end()
    const surplus = this.#wanted.held + chunk.length - bytes.length
    if (surplus > 0) this.#conn.push(chunk.subarray(chunk.length - surplus))
    this.#resolve(bytes)
    return true
  }

  listen(): void {
    const conn = this.#conn
    const look = (): void => this.#look()
    const short = (): void => this.fail(conn.errored ?? closedByPeer())
    const fail = (error: Error): void => this.fail(error)
    // removeAllListeners('data') leaves Node's mark that there is a listener. By that mark the stream would flow, and its bytes
    // would be lost, as soon as our 'readable' is off. off() takes the mark away if there is no listener.
    conn.off('data', ignore)
    // There is one listener for the whole wait. To add it again for each event would never end, as Node emits 'readable' again for buffered bytes.
    conn.on('readable', look).on('end', short).on('close', short).on('error', fail)
    this.#stop = () => conn.off('readable', look).off('end', short).off('close', short).off('error', fail)
    look()
  }

  fail(error: Error): void {
    this.#end()
    this.#reject(error)
  }

  #look(): void {
    try {
      const bytes = this.#wanted.fromStream(this.#conn)
      if (bytes === undefined) return
      this.#end()
      this.#resolve(bytes)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  #end(): void {
    handshakeReaderOf(this.#conn)?.stop(this)
    this.#stop?.()
    this.#signal?.removeEventListener('abort', this)
  }
}

function ignore(): void {}
