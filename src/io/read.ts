/**
 * Awaiting bytes of a stream. What was not asked for stays in the stream, so whoever reads next misses nothing.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { Cancellation } from './wait/cancellation.ts'
import type { Waiting } from './tcp/lean-reads.ts'
import { closedByPeer, leanReadsOf } from './tcp/lean-reads.ts'

/** Reads exactly `length` bytes. Rejects with PT_CLOSED where the stream ends before, or with the signal's reason. */
export function readExactly(conn: Duplex, length: number, signal?: Cancellation): Promise<Buffer> {
  if (length === 0) return Promise.resolve(Buffer.alloc(0))
  return awaitBytes(conn, signal, new Exactly(length))
}

/** Reads what there is, at least one byte. Rejects with PT_CLOSED at the end of the stream. */
export function readSome(conn: Duplex, signal?: Cancellation): Promise<Buffer> {
  return awaitBytes(conn, signal, some)
}

/**
 * Reads one message whose bytes say how long it is: `lengthOf` is given all that has come so far, and gives the length once it
 * is known, or throws. It has to bound it. Bytes behind the message go back into the stream.
 */
export function readMessage(
  conn: Duplex,
  lengthOf: (held: Buffer) => number | undefined,
  signal?: Cancellation,
): Promise<Buffer> {
  return awaitBytes(conn, signal, new Message(lengthOf))
}

/**
 * Reads up to and including the first `delimiter`. Rejects with PT_LIMIT once `limit` bytes hold none; bytes behind the
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

/** `held`, if there is any yet, and `chunk` behind it; one piece is not copied. */
export function appended(held: Buffer | undefined, chunk: Buffer): Buffer {
  return held === undefined ? chunk : Buffer.concat([held, chunk])
}

/** What a wait is for, as it is taken from where bytes may be. */
interface Wanted {
  /** Takes it from the stream, or leaves it there; undefined while it has not come. Throws where it never will. */
  fromStream(conn: Duplex): Buffer | undefined
  /** How many bytes it is, if that is known before any of them has come. */
  readonly length?: number
  /** How much of a first chunk it is; more than there is, or undefined, where that is not enough. */
  lengthOf(chunk: Buffer): number | undefined
}

class Exactly implements Wanted {
  readonly length: number

  constructor(length: number) {
    this.length = length
  }

  fromStream(conn: Duplex): Buffer | undefined {
    const bytes = conn.read(this.length) as Buffer | null
    if (bytes === null || bytes.length === this.length) return bytes ?? undefined
    conn.unshift(bytes)
    throw new PtError('PT_CLOSED', `the connection was closed before ${this.length} bytes arrived`)
  }

  lengthOf(): number {
    return this.length
  }
}

const some: Wanted = {
  fromStream: (conn) => (conn.read() as Buffer | null) ?? undefined,
  lengthOf: (chunk) => chunk.length,
}

class Message implements Wanted {
  readonly #lengthOf: (held: Buffer) => number | undefined
  #held: Buffer | undefined

  constructor(lengthOf: (held: Buffer) => number | undefined) {
    this.#lengthOf = lengthOf
  }

  fromStream(conn: Duplex): Buffer | undefined {
    for (let chunk = conn.read() as Buffer | null; chunk !== null; chunk = conn.read() as Buffer | null) {
      const held = appended(this.#held, chunk)
      const length = this.#lengthOf(held)
      this.#held = held
      if (length === undefined || length > held.length) continue
      // In the same turn as read(): a stream that has reached its end would otherwise have said so, and takes nothing back.
      if (length < held.length) conn.unshift(held.subarray(length))
      return held.subarray(0, length)
    }
    return undefined
  }

  lengthOf(chunk: Buffer): number | undefined {
    return this.#held === undefined ? this.#lengthOf(chunk) : undefined
  }
}

function awaitBytes(conn: Duplex, signal: Cancellation | undefined, wanted: Wanted): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    // A reset between two reads would end the process if nobody listened; the next read rejects with it.
    if (conn.listenerCount('error') === 0) conn.on('error', ignore)
    if (isOpen(conn) && conn.readableLength > 0) {
      // What has come already needs no wait.
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

/** One wait. A class, as a closure for each of its ends would cost more than all else that it does. */
class Wait implements Waiting {
  readonly #conn: Duplex
  readonly #signal: Cancellation | undefined
  readonly #wanted: Wanted
  readonly #resolve: (bytes: Buffer) => void
  readonly #reject: (error: Error) => void
  /** Ends the waiting for the stream or its socket. */
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
    if (leanReadsOf(this.#conn)?.wait(this) !== true) this.listen()
  }

  /** Of the signal. */
  handleEvent(): void {
    this.fail(this.#signal?.reason as Error)
  }

  chunk(chunk: Buffer): boolean {
    let length: number | undefined
    try {
      length = this.#wanted.lengthOf(chunk)
    } catch (error) {
      this.fail(error as Error)
      return true
    }
    if (length === undefined || length > chunk.length) return false
    this.#end()
    if (length < chunk.length) this.#conn.push(chunk.subarray(length))
    this.#resolve(length === chunk.length ? chunk : chunk.subarray(0, length))
    return true
  }

  listen(): void {
    const conn = this.#conn
    const look = (): void => this.#look()
    const short = (): void => this.fail(conn.errored ?? closedByPeer())
    const fail = (error: Error): void => this.fail(error)
    // removeAllListeners('data') leaves Node's mark that somebody listens, by which the stream would flow, its bytes lost,
    // as soon as our 'readable' is off; off() takes the mark away where nobody does.
    conn.off('data', ignore)
    // One listener for the whole wait: re-adding it per event would spin, as Node re-emits for buffered bytes.
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
    leanReadsOf(this.#conn)?.stop(this)
    this.#stop?.()
    this.#signal?.removeEventListener('abort', this)
  }
}

function ignore(): void {}
