/**
 * The one adapter between pure codecs and Node streams: back-pressure, half-close and errors of a transport live here only.
 *
 *     application ⇄ Duplex ⇄ codec ⇄ conn
 */
import { Duplex } from 'node:stream'
import { PtError } from '../../error.ts'
import { closeAtOnce, HALF_OPEN_LIMIT, leftIn, silent } from '../tcp/close.ts'
import type { EndWatcher } from '../ends.ts'
import { unwatchEnds, watchEnds } from '../ends.ts'
import { leanReadsOf } from '../tcp/lean-reads.ts'
import { readMemory } from '../tcp/read-memory.ts'

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
 * At most so many bytes of the application are encoded at a time, and what they become is written at a time: as much as the Go
 * programs read, so each burst on the wire is as long as theirs and has its own padding.
 */
export const BURST = 32_768

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
 * `conn` as the application sees it. Its two directions end one by one, unless endTogether() says otherwise. Payloads decoded
 * before an error are delivered before the error, whether the codec or `conn` failed; if the codec failed, `conn` is closed at
 * once. If `conn` is closed before its end, so is this, without an error. Destroying it destroys `conn`.
 */
export function framed(conn: Duplex, codec: Codec | PacedCodec): Duplex {
  return new FramedStream(conn, codec)
}

/**
 * From now on the first end of a framed stream closes its connection both ways, as obfs4proxy does: after end() it is closed
 * once the system has all that was written, and what had come by then can still be read; after the end of the peer nothing
 * more is written. Another stream ends its writing when its reading has ended, and no more can be done about it.
 */
export function endTogether(stream: Duplex): void {
  if (togetherKey in stream) (stream as FramedStream)[togetherKey]()
  else stream.allowHalfOpen = false
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
const togetherKey: unique symbol = Symbol.for('postern.endTogether')

class FramedStream extends Duplex implements EndWatcher {
  readonly #conn: Duplex
  readonly #codec: Codec | PacedCodec
  #decoding = false
  #prefaced = false
  /** Nothing more is decoded; the stream ends with #failure, if any, once the reader has caught up. */
  #failed = false
  #failure: Error | undefined
  /** The connection has been closed here, as one direction has ended. */
  #over = false
  /** The callback of the write or end that `conn` has not taken yet; _destroy() calls it where `conn` never will. */
  #waiting: ((error?: Error) => void) | undefined
  /** Runs while the connection is half-closed. */
  #silence: NodeJS.Timeout | undefined

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

  [togetherKey](): void {
    this.allowHalfOpen = false
    if (this.#conn.readableEnded) this.#endWithPeer()
  }

  readonly #decode = (chunk: Uint8Array): void => {
    if (this.#failed) return
    this.#silence?.refresh()
    try {
      for (const payload of this.#codec.decode(chunk)) {
        if (payload.length > 0 && !this.push(payload)) this.#conn.pause()
      }
    } catch (error) {
      this.#refuse(error as Error)
    }
  }

  /** Of the connection, as the next two. */
  onEnd(): void {
    if (this.#failed || this.#over) return
    try {
      this.#codec.end?.()
    } catch (error) {
      return this.#refuse(error as Error)
    }
    this.#endSilence()
    this.push(null)
    if (!this.allowHalfOpen) this.#endWithPeer()
  }

  #endWithPeer(): void {
    if (this.#over || this.#failed) return
    this.#over = true
    closeAtOnce(this.#conn)
    if (this.#waiting !== undefined) this.#lose()
  }

  onError(error: Error): void {
    if (!this.#over) this.#fail(error)
  }

  onClose(): void {
    this.#endSilence()
    if (this.#over) this.#finish()
    else if (!this.#conn.readableEnded || !this.#conn.writableFinished) this.#fail()
  }

  /** The connection was closed here. What had come is read, and then it is the end. */
  #finish(): void {
    const conn = this.#conn.off('data', this.#decode)
    for (const chunk of leftIn(conn)) this.#decode(chunk)
    if (!this.#failed && !this.readableEnded) this.push(null)
    if (this.writableEnded) this.#release()
  }

  /** The peer has closed the connection, so this write is lost. A reader gets all that came, and then writer and reader end. */
  #lose(): void {
    if (this.readableEnded) this.#release()
    else if (this.#decoding) this.once('end', () => this.#release())
    else this.#fail(new PtError('PT_CLOSED', 'the peer closed the connection'))
  }

  /** Of the codec. The connection is closed at once, whatever the reader still has to read. */
  #refuse(error: Error): void {
    this.#fail(error)
    this.#conn.destroy()
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
    if (this.#over) this.#lose()
    else if ('send' in this.#codec) void this.#send(this.#codec, payload)
    else this.#encode(this.#codec, payload, 0)
  }

  /** Each burst waits until the connection has passed on the one before: what would wait together would go out as one. */
  #encode(codec: Codec, payload: Uint8Array, from: number): void {
    try {
      if (payload.length > 0) this.#preface(codec)
      for (let at = from; at < payload.length; at += BURST) {
        const bytes = codec.encode(payload.subarray(at, at + BURST))
        if (bytes.length === 0) continue
        let waits = false
        this.#conn.write(bytes, (error) => {
          // If the connection broke, its own events say how.
          if (waits && !error) this.#encode(codec, payload, at + BURST)
        })
        waits = this.#conn.writableLength > 0 || this.#conn.destroyed
        if (waits) return
      }
      this.#release()
    } catch (error) {
      this.#refuse(error as Error)
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
      for (let at = 0; at < payload.length; at += BURST) await codec.send(payload.subarray(at, at + BURST), write)
      this.#release()
    } catch (error) {
      // If `conn` broke, its own events say how.
      if (!this.#conn.destroyed) this.#refuse(error as Error)
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#waiting = done
    if (this.#over) this.#release()
    else if (this.allowHalfOpen)
      this.#conn.end((error?: Error | null) => (error ? this.#fail(error) : this.#halfClosed()))
    else if (this.#decoding) this.#close()
    else {
      // Bytes that nobody has read yet would make a reset of the close, and that would take along what is on its way.
      this._read()
      setImmediate(() => this.#close())
    }
  }

  /** The application has ended, and the connection has passed on all of it. */
  #close(): void {
    if (this.#over || this.#failed) return
    this.#over = true
    closeAtOnce(this.#conn)
  }

  #endSilence(): void {
    clearTimeout(this.#silence)
    this.#silence = undefined
  }

  #halfClosed(): void {
    this.#release()
    const conn = this.#conn
    if (conn.readableEnded || conn.destroyed) return
    const timer = setTimeout(() => {
      // An application that does not read is no silence.
      if (conn.isPaused() || conn.readableLength > 0) timer.refresh()
      else this.#refuse(silent())
    }, HALF_OPEN_LIMIT)
    this.#silence = timer
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#endSilence()
    this.#release(error ?? new PtError('PT_CLOSED', 'the connection is closed'))
    this.#conn.destroy()
    done(error)
  }
}
