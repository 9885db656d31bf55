/**
 * A connection after its handshake, as a Duplex with back-pressure and an end.
 *
 *     application ⇄ TlsStream ⇄ TlsCodec ⇄ conn
 *
 * If `conn` is a TCP connection, the bytes pass by its own stream: what is read lies in memory that all connections share, and is
 * deciphered there.
 */
import { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { Unframed } from '../io/carry/framed.ts'
import { togetherKey, unframeKey } from '../io/carry/framed.ts'
import { LateFailing } from '../io/carry/late-failing.ts'
import type { EndWatcher } from '../io/ends.ts'
import { unwatchEnds, watchEnds } from '../io/ends.ts'
import type { ReadOwner, TcpChannel } from '../io/tcp/channel.ts'
import { afterOneTurn, leftIn } from '../io/tcp/close.ts'
import { channelOf } from '../io/tcp/node-channel.ts'
import { readMemory } from '../io/tcp/read-memory.ts'
import { TlsFault } from './alert.ts'
import { MOST_ENCODED, TlsCodec } from './tls-codec.ts'
import type { TlsCodecOptions } from './tls-codec.ts'
import type { TlsConnection } from './tls-connection.ts'

/** How long a server may take to receive the alert that ends the connection, in ms. */
const ALERT_TIME = 1000

export interface TlsStreamOptions extends TlsCodecOptions {
  /** What came after the last message of the handshake. */
  readonly rest: Buffer
}

type Done = (error?: Error | null) => void

export class TlsStream extends LateFailing implements EndWatcher, ReadOwner, TlsConnection {
  readonly alpn: string | undefined
  readonly resumed: boolean
  readonly #conn: Duplex
  /** Undefined if `conn` is no TCP connection whose reads can be had. */
  readonly #channel: TcpChannel | undefined
  readonly #codec: TlsCodec
  readonly #der: Buffer | undefined
  #certificate: X509Certificate | undefined
  #rest: Buffer | undefined
  #isReading = false
  #isDecoding = false
  /** True if the end of the application closes the connection both ways. */
  #endsTogether = false
  #hasEnded = false
  /** The server has not taken our answer to its KeyUpdate. */
  #answerWaits = false
  /** The callback of the write or the end that `conn` has not taken yet. */
  #waiting: Done | undefined

  constructor(conn: Duplex, { rest, ...options }: TlsStreamOptions) {
    super({ allowHalfOpen: conn.allowHalfOpen })
    const channel = channelOf(conn)
    this.alpn = options.established.alpn
    this.resumed = options.established.resumed
    ;[this.#der] = options.established.certificates
    this.#conn = conn
    this.#channel = channel?.canGiveReads === true ? channel : undefined
    this.#codec = new TlsCodec(options)
    this.#rest = rest
    watchEnds(conn, this)
    // The handshake may have read up to the very end; these events have been emitted already then.
    if (conn.readableEnded) this.onEnd()
    if (conn.errored) this.onError(conn.errored)
    else if (conn.closed) this.onClose()
  }

  /** It is made when it is first asked for. */
  get peerCertificate(): X509Certificate | undefined {
    return (this.#certificate ??= this.#der && new X509Certificate(this.#der))
  }

  /** Takes the stream apart, as unframe() of io/carry/framed.ts says. */
  unframe(usable: (conn: Duplex) => boolean): Unframed | undefined {
    const conn = this.#conn
    const isIdle = this.#waiting === undefined && this.writableLength === 0 && !this.#isDecoding
    const isOpen = !this.failed && !this.destroyed && !this.writableEnded && !conn.readableEnded && !this.#codec.isOver
    if (!isIdle || !isOpen || !usable(conn)) return undefined
    this.#takeRest()
    if (this.readableLength > 0 || this.failed || this.#codec.isOver) return undefined
    this.failed = true
    unwatchEnds(conn, this)
    conn.off('data', this.#take)
    this.#codec.gather()
    return { conn, codec: this.#codec }
  }

  /** As endTogether() of io/carry/framed.ts says. */
  endTogether(): void {
    this.allowHalfOpen = false
    this.#endsTogether = true
  }

  onEnd(): void {
    if (this.#codec.isOver || this.failed) return
    this.#takeRest()
    try {
      this.#codec.end()
    } catch (error) {
      return this.fail(error as Error)
    }
    this.#endOfServer()
  }

  onError(error: Error): void {
    this.fail(error)
  }

  onClose(): void {
    if (this.#endsTogether && this.writableEnded && this.#conn.writableFinished) this.#endReading()
    else if (!this.#codec.isOver || !this.#conn.writableFinished) this.fail()
  }

  /** The channel calls this if bytes lie in the memory. False stops reading. */
  arrived(length: number): boolean {
    this.#take(readMemory().subarray(0, length))
    return this.#codec.isOver || this.failed || this.readableLength < this.readableHighWaterMark
  }

  readonly #take = (chunk: Buffer): void => {
    if (this.#codec.isOver || this.failed) return
    this.#isDecoding = true
    try {
      for (const content of this.#codec.decode(chunk)) {
        if (!this.push(content) && this.#channel === undefined) this.#conn.pause()
      }
      if (this.#codec.isOver) this.#endOfServer()
      else if (this.#codec.owesUpdate) this.#answerUpdate()
    } catch (error) {
      this.#refuse(error as Error)
    }
    this.#isDecoding = false
  }

  /** What came with the end of the handshake. */
  #takeRest(): void {
    const rest = this.#rest
    this.#rest = undefined
    if (rest !== undefined && rest.length > 0) this.#take(rest)
  }

  /** A server that asks again and again, and reads nothing, is answered once. */
  #answerUpdate(): void {
    if (this.#answerWaits || this.#waiting !== undefined || this.writableEnded) return
    this.#answerWaits = !this.#pass(this.#codec.encode(Buffer.alloc(0)), () => (this.#answerWaits = false))
  }

  /** What follows close_notify is read only so that `conn` can end. */
  #endOfServer(): void {
    this.#endReading()
    this.#readOn()
  }

  #endReading(): void {
    if (this.#hasEnded || this.failed) return
    this.#hasEnded = true
    this.push(null)
  }

  /** What the server sent breaks the protocol. It is told so, and nothing more is read. */
  #refuse(error: Error): void {
    const conn = this.#conn
    if (conn.writableEnded) conn.end()
    else conn.end(this.#codec.farewell(error))
    const timer = setTimeout(() => conn.destroy(), ALERT_TIME)
    conn.once('close', () => clearTimeout(timer))
    this.fail(error)
  }

  override _read(): void {
    if (this.failed || this.#codec.isOver) return
    if (!this.#isReading) this.#beginToRead()
    // The bytes that a reader is about to take still count in readableLength here, so it does not say whether there is room.
    this.#readOn()
  }

  /** Reading begins when the application reads. Until then the system holds the bytes. */
  #beginToRead(): void {
    const conn = this.#conn
    this.#isReading = true
    if (this.#channel === undefined) {
      conn.on('data', this.#take)
      return this.#takeRest()
    }
    if (conn.readableFlowing) conn.pause()
    this.#channel.giveReadsTo(this, readMemory())
    this.#takeRest()
    for (const chunk of leftIn(conn)) this.#take(chunk)
  }

  #readOn(): void {
    if (this.#channel === undefined || !this.#isReading) this.#conn.resume()
    else this.#channel.readOn()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send(chunk, 0, done)
  }

  /** Small writes that have come together go out in one record. */
  override _writev(chunks: { readonly chunk: Buffer }[], done: Done): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), 0, done)
  }

  #send(bytes: Buffer, from: number, done: Done): void {
    this.#waiting = done
    if (this.failed || this.destroyed) return this.#release()
    for (let at = from; at < bytes.length; at += MOST_ENCODED) {
      const next = at + MOST_ENCODED
      const piece = bytes.length <= MOST_ENCODED ? bytes : bytes.subarray(at, next)
      if (!this.#pass(this.#codec.encode(piece), () => this.#send(bytes, next, done))) return
    }
    this.#release()
  }

  /** True if `conn` has taken the records. Otherwise `taken` is called once it has; if it breaks, its own events say how. */
  #pass(records: Buffer, taken: () => void): boolean {
    if (this.#channel !== undefined) {
      if (this.#channel.writeNow(records, taken)) return true
    } else {
      this.#conn.write(records, (error) => {
        if (!error) taken()
      })
    }
    this.#codec.hold()
    return false
  }

  override _final(done: Done): void {
    this.#waiting = done
    if (this.failed || this.#conn.destroyed) return this.#release()
    this.#conn.end(this.#codec.farewell(), (error?: Error | null) => {
      if (error) return
      this.#release()
      if (this.#endsTogether) this.#closeBothWays()
    })
    // Somebody has to read up to the server's end, or `conn` never closes.
    if (this.#codec.isOver) this.#readOn()
  }

  /** Bytes that lie there unread would turn the close into a reset, which drops what is still on its way to the server. */
  #closeBothWays(): void {
    if (!this.#isReading) this.#beginToRead()
    afterOneTurn(() => this.#conn.destroy())
  }

  #release(error?: Error): void {
    const done = this.#waiting
    this.#waiting = undefined
    done?.(error)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#waiting !== undefined) this.#release(error ?? new PtError('PT_CLOSED', 'the connection is closed'))
    // After a fault the alert is still on its way.
    if (!(error instanceof TlsFault)) this.#conn.destroy()
    done(error)
  }
}

// A class that is exported cannot have members under imported symbols, as its types are made file by file.
Object.defineProperty(TlsStream.prototype, togetherKey, {
  value(this: TlsStream) {
    this.endTogether()
  },
})
Object.defineProperty(TlsStream.prototype, unframeKey, {
  value(this: TlsStream, usable: (conn: Duplex) => boolean) {
    return this.unframe(usable)
  },
})
