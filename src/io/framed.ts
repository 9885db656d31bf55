/**
 * The one adapter between pure codecs and Node streams: back-pressure, half-close and errors of a transport live here only.
 *
 *     application ⇄ Duplex ⇄ codec ⇄ conn
 */
import { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { EndWatcher } from './ends.ts'
import { unwatchEnds, watchEnds } from './ends.ts'
import { leanReadsOf } from './lean-reads.ts'
import { readMemory } from './read-memory.ts'

/** Recodes one connection. Bytes in, bytes out; no stream, no clock. */
export interface Codec {
  /**
   * Wire bytes that go out ahead of the first that encode() gives, in a write of their own: an observer sees how bytes are spread
   * over segments. Called once, when there is something to send.
   */
  preface?(): Uint8Array
  /** Application bytes in, wire bytes out. */
  encode(payload: Uint8Array): Uint8Array
  /** Wire bytes in (any chunking), application bytes out. Throwing is fatal to the stream. */
  decode(chunk: Uint8Array): Iterable<Uint8Array>
  /** The peer has sent its last byte. Throwing says that it ended in the middle of a frame. */
  end?(): void
  /** The same without streams between, for splice(); the two may not be mixed. */
  readonly direct?: DirectCodec
}

/** A codec that works in memory which all its connections share, each for the length of one call. */
export interface DirectCodec extends Omit<Codec, 'direct'> {
  /** Bytes are read to here; encode() and decode() are given views of it, and keep none. */
  readonly input: Uint8Array
  /**
   * How many bytes decode() wants at most for the time being, if those are fewer than `input` holds. What a peer has sent beyond
   * them is still unread if decode() throws, so that the connection ends with a reset, as spareReads() explains.
   */
  readonly mostDecoded?: number | undefined
  /**
   * Present where encode() and decode() give views, which the next call overwrites. Keeps what was given last, until the
   * function that it returns is called.
   */
  hold?(): () => void
}

/**
 * A codec that keeps nothing it is given, and whose results are its own, as one that can be spliced. `mostDecoded` gives that of
 * its DirectCodec.
 */
export function withDirect(codec: Codec, mostDecoded?: () => number | undefined): Codec {
  const direct = {
    ...codec,
    input: readMemory(),
    get mostDecoded(): number | undefined {
      return mostDecoded?.()
    },
  }
  return { ...codec, direct }
}

/** A codec that chooses when it sends: what one write makes goes out in pieces, and the next write waits for the last one. */
export interface PacedCodec extends Omit<Codec, 'encode' | 'preface' | 'direct'> {
  /** `write` resolves once `conn` has passed the bytes on. Rejecting is fatal to the stream. */
  send(payload: Uint8Array, write: (bytes: Uint8Array) => Promise<void>): Promise<void>
}

/**
 * `conn` as the application sees it. Payloads decoded before an error are delivered before the error, whether the codec
 * or `conn` failed. Where `conn` is closed before its end, so is this, without an error. Destroying it destroys `conn`.
 */
export function framed(conn: Duplex, codec: Codec | PacedCodec): Duplex {
  return new FramedStream(conn, codec)
}

/** A codec that can do without streams, and the connection under it. */
export interface Unframed<Conn extends Duplex> {
  readonly conn: Conn
  readonly codec: DirectCodec
}

/**
 * Takes a framed stream apart that nobody has used yet; it is of no use from then on, but for destroying the connection.
 * Undefined, and nothing done, where its codec cannot do it or the connection is not `usable`.
 */
export function unframe<Conn extends Duplex>(
  stream: Duplex,
  usable: (conn: Duplex) => conn is Conn,
): Unframed<Conn> | undefined {
  return unframeKey in stream ? (stream as FramedStream)[unframeKey](usable) : undefined
}

/** Not by class: a transport of another package may have a copy of this module of its own. */
const unframeKey: unique symbol = Symbol.for('postern.unframe')

class FramedStream extends Duplex implements EndWatcher {
  readonly #conn: Duplex
  readonly #codec: Codec | PacedCodec
  #decoding = false
  #prefaced = false
  /** Nothing more is decoded; the stream ends with #failure, if any, once the reader has caught up. */
  #failed = false
  #failure: Error | undefined
  /** The callback of the write or end that `conn` has not taken yet; _destroy() calls it where `conn` never will. */
  #waiting: ((error?: Error) => void) | undefined

  constructor(conn: Duplex, codec: Codec | PacedCodec) {
    super({ allowHalfOpen: true })
    this.#conn = conn
    this.#codec = codec
    // Not where it is not needed: a socket that stops and goes on costs three calls of the system.
    if (conn.readableFlowing) conn.pause()
    watchEnds(conn, this)
    // A handshake may have read up to the very end; these events have then been emitted already.
    if (conn.readableEnded) this.onEnd()
    if (conn.errored) this.onError(conn.errored)
    else if (conn.closed) this.onClose()
  }

  [unframeKey]<Conn extends Duplex>(usable: (conn: Duplex) => conn is Conn): Unframed<Conn> | undefined {
    const conn = this.#conn
    const codec = 'encode' in this.#codec ? this.#codec.direct : undefined
    const untouched = !this.#decoding && !this.#failed && this.#waiting === undefined && !this.writableEnded
    if (!untouched || this.destroyed || conn.readableEnded || codec === undefined || !usable(conn)) return undefined
    this.#failed = true
    unwatchEnds(conn, this)
    return { conn, codec }
  }

  readonly #decode = (chunk: Uint8Array): void => {
    try {
      for (const payload of this.#codec.decode(chunk)) {
        if (payload.length > 0 && !this.push(payload)) this.#conn.pause()
      }
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  /** Of the connection, as the next two. */
  onEnd(): void {
    try {
      this.#codec.end?.()
      this.push(null)
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  onError(error: Error): void {
    this.#fail(error)
  }

  onClose(): void {
    if (!this.#conn.readableEnded || !this.#conn.writableFinished) this.#fail()
  }

  #release(error?: Error): void {
    const done = this.#waiting
    this.#waiting = undefined
    done?.(error)
  }

  /** destroy() throws away what was pushed and not yet read, so it waits until the reader has caught up. */
  #fail(error?: Error): void {
    this.#failed = true
    this.#failure ??= error
    this.#conn.off('data', this.#decode).pause()
    this.#failOnceRead()
  }

  #failOnceRead(): void {
    // A reader may put back what it took too much of, until its turn is over.
    setImmediate(() => {
      if (this.readableLength === 0) this.destroy(this.#failure)
    })
  }

  override read(size?: number): unknown {
    const bytes: unknown = super.read(size)
    if (this.#failed && this.readableLength === 0) this.#failOnceRead()
    return bytes
  }

  override _read(): void {
    if (this.#failed) return
    // Decoding starts when the application reads: bytes that wait are the system's to hold.
    if (!this.#decoding) {
      this.#conn.on('data', this.#decode)
      leanReadsOf(this.#conn)?.spend()
    }
    this.#decoding = true
    this.#conn.resume()
  }

  override _write(payload: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#waiting = done
    if ('send' in this.#codec) return void this.#send(this.#codec, payload)
    try {
      if (payload.length > 0) this.#preface(this.#codec)
      const bytes = this.#codec.encode(payload)
      if (bytes.length === 0 || this.#conn.write(bytes)) this.#release()
      else this.#conn.once('drain', () => this.#release())
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #preface(codec: Codec): void {
    if (this.#prefaced) return
    this.#prefaced = true
    const bytes = codec.preface?.()
    if (bytes !== undefined) this.#conn.write(bytes)
  }

  async #send(codec: PacedCodec, payload: Uint8Array): Promise<void> {
    const write = (bytes: Uint8Array): Promise<void> =>
      new Promise((resolve, reject) => {
        this.#conn.write(bytes, (error) => (error ? reject(error) : resolve()))
      })
    try {
      await codec.send(payload, write)
      this.#release()
    } catch (error) {
      // Where `conn` broke, its own events say how.
      if (!this.#conn.destroyed) this.#fail(error as Error)
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#waiting = done
    this.#conn.end((error?: Error | null) => (error ? this.#fail(error) : this.#release()))
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#release(error ?? new PtError('PT_CLOSED', 'the connection is closed'))
    this.#conn.destroy()
    done(error)
  }
}
