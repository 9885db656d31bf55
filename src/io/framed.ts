/**
 * The one adapter between pure codecs and Node streams: back-pressure, half-close and errors of a transport live here only.
 *
 *     application ⇄ Duplex ⇄ codec ⇄ conn
 */
import { Duplex } from 'node:stream'

/** Recodes one connection. Bytes in, bytes out; no stream, no clock. */
export interface Codec {
  /** Application bytes in, wire bytes out. */
  encode(payload: Uint8Array): Uint8Array
  /** Wire bytes in (any chunking), application bytes out. Throwing is fatal to the stream. */
  decode(chunk: Uint8Array): Iterable<Uint8Array>
  /** The peer has sent its last byte. Throwing says that it ended in the middle of a frame. */
  end?(): void
}

/** `conn` as the application sees it. Payloads decoded before an error are delivered before the error. */
export function framed(conn: Duplex, codec: Codec): Duplex {
  return new FramedStream(conn, codec)
}

class FramedStream extends Duplex {
  readonly #conn: Duplex
  readonly #codec: Codec

  constructor(conn: Duplex, codec: Codec) {
    super({ allowHalfOpen: true })
    this.#conn = conn
    this.#codec = codec
    conn
      .on('data', (chunk: Uint8Array) => this.#decode(chunk))
      .once('end', () => this.#end())
      .once('error', (error) => this.destroy(error))
      .once('close', () => this.#closed())
    // Decoding starts when the application reads: bytes that wait are the system's to hold.
    conn.pause()
  }

  #decode(chunk: Uint8Array): void {
    try {
      for (const payload of this.#codec.decode(chunk)) {
        if (payload.length > 0 && !this.push(payload)) this.#conn.pause()
      }
    } catch (error) {
      this.#failAfterReading(error as Error)
    }
  }

  #end(): void {
    try {
      this.#codec.end?.()
      this.push(null)
    } catch (error) {
      this.#failAfterReading(error as Error)
    }
  }

  /** Where both directions ended in order the reader still gets what it has not read, and the stream then closes by itself. */
  #closed(): void {
    if (!this.#conn.readableEnded || !this.#conn.writableFinished) this.destroy()
  }

  /** destroy() throws away what was pushed and not yet read; so it waits until the reader has caught up. */
  #failAfterReading(error: Error): void {
    this.#conn.removeAllListeners('data').pause()
    const attempt = (): void => {
      if (this.destroyed || this.readableLength === 0) this.destroy(error)
      else setImmediate(attempt)
    }
    attempt()
  }

  override _read(): void {
    this.#conn.resume()
  }

  override _write(payload: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let bytes: Uint8Array
    try {
      bytes = this.#codec.encode(payload)
    } catch (error) {
      return done(error as Error)
    }
    if (bytes.length === 0 || this.#conn.write(bytes)) return done()
    this.#conn.once('drain', done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#conn.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#conn.destroy()
    done(error)
  }
}
