/**
 * The only adapter between pure codecs and Node streams: the back-pressure, half-closes and errors of a transport are handled here
 * and nowhere else.
 *
 *     application ⇄ Duplex ⇄ codec ⇄ conn
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../../error.ts'
import { closeAtOnce, HALF_OPEN_LIMIT, leftIn, silent } from '../tcp/close.ts'
import type { EndWatcher } from '../ends.ts'
import { unwatchEnds, watchEnds } from '../ends.ts'
import { handshakeReaderOf } from '../tcp/handshake-reader.ts'
import type { Codec, DirectCodec, PacedCodec } from './codec.ts'
import { BURST } from './codec.ts'
import { LateFailing } from './late-failing.ts'

/**
 * Gives `conn` as the application sees it. Its two directions end one by one, unless endTogether() says otherwise. Payloads that
 * were decoded before an error are delivered before the error, whether the codec or `conn` failed. If the codec failed, `conn` is
 * closed at once. If `conn` is closed before its end, so is this stream, without an error. Destroying it destroys `conn`.
 */
export function framed(conn: Duplex, codec: Codec | PacedCodec): Duplex {
  return new FramedStream(conn, codec)
}

/**
 * From now on the first end of a framed stream closes its connection both ways, as obfs4proxy does. After end() the connection is
 * closed once the system has all that was written, and the bytes that had come by then can still be read. After the end of the
 * peer nothing more is written. A stream of another kind ends its writing when its reading has ended; more cannot be done there.
 */
export function endTogether(stream: Duplex): void {
  if (togetherKey in stream) (stream as FramedStream)[togetherKey]()
  else stream.allowHalfOpen = false
}

/** The parts of a framed stream: a codec in its direct form, and the connection under it. */
export interface Unframed {
  readonly conn: Duplex
  readonly codec: DirectCodec
}

/**
 * Takes apart a framed stream that has not been used yet. From then on the stream is good for nothing but to destroy the connection.
 * Undefined, and nothing done, if its codec has no direct form or the connection is not `usable`.
 */
export function unframe(stream: Duplex, usable: (conn: Duplex) => boolean): Unframed | undefined {
  return unframeKey in stream ? (stream as Framed)[unframeKey](usable) : undefined
}

type Framed = Duplex & { [unframeKey](usable: (conn: Duplex) => boolean): Unframed | undefined }

/**
 * A framed stream is known by these and not by its class: a transport of another package may have a copy of this module, and a
 * stream of another class may have them too.
 */
export const unframeKey: unique symbol = Symbol.for('postern.unframe')
/** What endTogether() calls. */
export const togetherKey: unique symbol = Symbol.for('postern.endTogether')

class FramedStream extends LateFailing implements EndWatcher {
  readonly #conn: Duplex
  readonly #codec: Codec | PacedCodec
  #decoding = false
  #prefaced = false
  /** True while reads are bounded by what the codec wants. */
  #bounded = false
  /** True if the connection has been closed here because one direction has ended. */
  #over = false
  /** The callback of the write or end that `conn` has not taken yet. _destroy() calls it if `conn` never will. */
  #waiting: ((error?: Error) => void) | undefined
  /** The timer that runs while the connection is half-closed. */
  #silence: NodeJS.Timeout | undefined

  constructor(conn: Duplex, codec: Codec | PacedCodec) {
    super({ allowHalfOpen: true })
    this.#conn = conn
    this.#codec = codec
    // A socket that does not flow is not paused: to stop and to go on costs three calls of the system.
    if (conn.readableFlowing) conn.pause()
    watchEnds(conn, this)
    // A handshake may have read up to the very end. These events have then been emitted already.
    if (conn.readableEnded) this.onEnd()
    if (conn.errored) this.onError(conn.errored)
    else if (conn.closed) this.onClose()
  }

  [unframeKey](usable: (conn: Duplex) => boolean): Unframed | undefined {
    const conn = this.#conn
    const codec = 'encode' in this.#codec ? this.#codec.direct : undefined
    const untouched = !this.#decoding && !this.failed && this.#waiting === undefined && !this.writableEnded
    if (!untouched || this.destroyed || conn.readableEnded || codec === undefined || !usable(conn)) return undefined
    this.failed = true
    unwatchEnds(conn, this)
    return { conn, codec }
  }

  [togetherKey](): void {
    this.allowHalfOpen = false
    if (this.#conn.readableEnded) this.#endWithPeer()
  }

  readonly #decode = (chunk: Uint8Array): void => {
    if (this.failed) return
    this.#silence?.refresh()
    try {
      for (const payload of this.#codec.decode(chunk)) {
        if (payload.length > 0 && !this.push(payload)) this.#conn.pause()
      }
      if (this.#bounded) this.#boundReads()
    } catch (error) {
      this.#refuse(error as Error)
    }
  }

  /** The connection has ended. This and the next two are called by ends.ts. */
  onEnd(): void {
    if (this.failed || this.#over) return
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
    if (this.#over || this.failed) return
    this.#over = true
    closeAtOnce(this.#conn)
    if (this.#waiting !== undefined) this.#lose()
  }

  onError(error: Error): void {
    if (!this.#over) this.fail(error)
  }

  onClose(): void {
    this.#endSilence()
    if (this.#over) this.#finish()
    else if (!this.#conn.readableEnded || !this.#conn.writableFinished) this.fail()
  }

  /** The connection was closed here. The bytes that had come are decoded, and then the stream ends. */
  #finish(): void {
    const conn = this.#conn.off('data', this.#decode)
    for (const chunk of leftIn(conn)) this.#decode(chunk)
    if (!this.failed && !this.readableEnded) this.push(null)
    if (this.writableEnded) this.#release()
  }

  /** The peer has closed the connection, so this write is lost. A reader gets all that came; then writer and reader end. */
  #lose(): void {
    if (this.readableEnded) this.#release()
    else if (this.#decoding) this.once('end', () => this.#release())
    else this.fail(new PtError('PT_CLOSED', 'the peer closed the connection'))
  }

  /** The codec has failed. The connection is closed at once, whatever the reader still has to read. */
  #refuse(error: Error): void {
    this.fail(error)
    this.#conn.destroy()
  }

  #release(error?: Error): void {
    const done = this.#waiting
    this.#waiting = undefined
    done?.(error)
  }

  protected override fail(error?: Error): void {
    this.#conn.off('data', this.#decode).pause()
    super.fail(error)
  }

  override _read(): void {
    if (this.failed) return
    // Decoding starts when the application reads. Until then the system holds the bytes.
    if (!this.#decoding) {
      this.#conn.on('data', this.#decode)
      this.#boundReads()
      handshakeReaderOf(this.#conn)?.readOn()
    }
    this.#decoding = true
    this.#conn.resume()
  }

  /** Lets reads take no more than the codec wants for the time being. */
  #boundReads(): void {
    const { mostDecoded } = this.#codec
    this.#bounded = mostDecoded !== undefined
    if (mostDecoded === undefined) handshakeReaderOf(this.#conn)?.readFreely()
    else handshakeReaderOf(this.#conn)?.flow(mostDecoded)
  }

  override _write(payload: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#waiting = done
    if (this.#over) this.#lose()
    else if ('send' in this.#codec) void this.#send(this.#codec, payload)
    else this.#encode(this.#codec, payload, 0)
  }

  /** Each burst waits until the connection has passed on the one before it. Bursts that wait together would go out as one. */
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
    if (bytes !== undefined && bytes.length > 0) this.#conn.write(bytes)
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
      this.#conn.end((error?: Error | null) => (error ? this.fail(error) : this.#halfClosed()))
    else if (this.#decoding) this.#close()
    else {
      // Bytes that were not read yet would turn the close into a reset, and that would drop the bytes that are on their way.
      this._read()
      setImmediate(() => this.#close())
    }
  }

  /** The application has ended, and the connection has passed on all of it. */
  #close(): void {
    if (this.#over || this.failed) return
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
      // If the application does not read, that is no silence.
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
