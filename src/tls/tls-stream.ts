/**
 * A connection after its handshake, as a Duplex: records both ways, back-pressure, tickets, updates of keys, and the end.
 *
 *     application ⇄ TlsStream ⇄ records ⇄ conn
 */
import type { X509Certificate } from 'node:crypto'
import { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { EndWatcher } from '../io/ends.ts'
import { watchEnds } from '../io/ends.ts'
import { appended } from '../io/read.ts'
import { alertBytes, TlsFault } from './alert.ts'
import type { Established } from './handshake.ts'
import { AlertFromServer, readAlert } from './handshake-wire.ts'
import { resumptionPsk, updatedSecret } from './key-schedule.ts'
import { keyUpdate, readKeyUpdate, readNewSessionTicket } from './messages/after.ts'
import type { HandshakeMessage } from './messages/handshake.ts'
import { handshakeTypes, MessageAssembler } from './messages/handshake.ts'
import {
  contentTypes,
  HEADER_LENGTH,
  MAX_CONTENT,
  MAX_RECORDS,
  readHeader,
  RecordOpener,
  RecordSealer,
} from './record.ts'
import type { Ticket } from './tickets.ts'
import { ticketLifetime } from './tickets.ts'
import type { TlsConnection } from './tls-connection.ts'

/** How many records in a row may carry nothing for the application, as with BoringSSL. */
const MAX_IDLE = 32
/** How long a server may take to receive the alert that ends the connection, in ms. */
const ALERT_TIME = 1000

export interface TlsStreamOptions {
  readonly established: Established
  readonly certificate: X509Certificate | undefined
  readonly onTicket: (ticket: Ticket) => void
  /** True if the server may end without close_notify. */
  readonly mayEndAbruptly: boolean
}

type Done = (error?: Error | null) => void

export class TlsStream extends Duplex implements EndWatcher, TlsConnection {
  readonly alpn: string | undefined
  readonly resumed: boolean
  readonly peerCertificate: X509Certificate | undefined
  readonly #conn: Duplex
  readonly #established: Established
  readonly #onTicket: (ticket: Ticket) => void
  readonly #mayEndAbruptly: boolean
  readonly #messages = new MessageAssembler()
  readonly #maxContent: number
  #serverSecret: Buffer
  #clientSecret: Buffer
  #opener: RecordOpener
  #sealer: RecordSealer
  #held: Buffer | undefined
  #idle = 0
  #reading = false
  #owesUpdate = false
  /** The server has sent close_notify. */
  #over = false
  /** The stream ends with #failure, if any, after its reader has all that came before. */
  #failed = false
  #failure: Error | undefined
  /** The callback of the write or the end that `conn` has not taken yet. */
  #waiting: Done | undefined

  constructor(conn: Duplex, { established, certificate, onTicket, mayEndAbruptly }: TlsStreamOptions) {
    super({ allowHalfOpen: conn.allowHalfOpen })
    const { suite, clientSecret, serverSecret, recordSizeLimit } = established
    this.alpn = established.alpn
    this.resumed = established.resumed
    this.peerCertificate = certificate
    this.#conn = conn
    this.#established = established
    this.#onTicket = onTicket
    this.#mayEndAbruptly = mayEndAbruptly
    this.#maxContent = Math.min(MAX_CONTENT, (recordSizeLimit ?? MAX_CONTENT + 1) - 1)
    this.#clientSecret = clientSecret
    this.#serverSecret = serverSecret
    this.#sealer = new RecordSealer(suite, clientSecret)
    this.#opener = new RecordOpener(suite, serverSecret)
    watchEnds(conn, this)
    // The handshake may have read up to the very end; these events have been emitted already then.
    if (conn.readableEnded) this.onEnd()
    if (conn.errored) this.onError(conn.errored)
    else if (conn.closed) this.onClose()
  }

  onEnd(): void {
    if (this.#over || this.#failed) return
    if (this.#mayEndAbruptly && this.#held === undefined && !this.#messages.isAmid) return this.#endOfServer()
    this.#fail(new PtError('PT_CLOSED', 'the connection ended without close_notify: what came may be cut short'))
  }

  onError(error: Error): void {
    this.#fail(error)
  }

  onClose(): void {
    if (!this.#over || !this.#conn.writableFinished) this.#fail()
  }

  readonly #take = (chunk: Buffer): void => {
    if (this.#over || this.#failed) return
    const held = appended(this.#held, chunk)
    let at = 0
    try {
      while (held.length - at >= HEADER_LENGTH && !this.#over) {
        const header = held.subarray(at, at + HEADER_LENGTH)
        const { type, length } = readHeader(header, true)
        const end = at + HEADER_LENGTH + length
        if (end > held.length) break
        this.#open(type, header, held.subarray(at + HEADER_LENGTH, end))
        at = end
      }
      this.#held = at === held.length ? undefined : held.subarray(at)
    } catch (error) {
      this.#refuse(error as Error)
    }
  }

  #open(type: number, header: Buffer, fragment: Buffer): void {
    if (type !== contentTypes.applicationData) {
      throw new TlsFault('unexpected_message', 'the server sent a record in plain after the handshake')
    }
    const { type: inner, content } = this.#opener.open(header, fragment)
    if (inner !== contentTypes.handshake && this.#messages.isAmid) {
      throw new TlsFault('unexpected_message', 'the server sent another record amid a handshake message')
    }
    if (inner === contentTypes.applicationData && content.length > 0) {
      this.#idle = 0
      if (!this.push(content)) this.#conn.pause()
      return
    }
    if (++this.#idle > MAX_IDLE) throw new TlsFault('unexpected_message', 'the server sends records without data')
    if (inner === contentTypes.alert && readAlert(content) === 'close') this.#endOfServer()
    if (inner === contentTypes.handshake) this.#messages.add(content)
    for (let message = this.#messages.next(); message !== undefined; message = this.#messages.next())
      this.#handle(message)
  }

  #handle({ type, body }: HandshakeMessage): void {
    if (type === handshakeTypes.newSessionTicket) return this.#keepTicket(body)
    if (type !== handshakeTypes.keyUpdate) {
      throw new TlsFault(
        'unexpected_message',
        `the server sent a handshake message of type ${type} after the handshake`,
      )
    }
    if (this.#messages.isAmid) throw new TlsFault('unexpected_message', 'the server sent a message across a KeyUpdate')
    const { suite } = this.#established
    this.#owesUpdate = readKeyUpdate(body) || this.#owesUpdate
    this.#serverSecret = updatedSecret(suite, this.#serverSecret)
    this.#opener = new RecordOpener(suite, this.#serverSecret)
    // A server that asks again and again, and reads nothing, is answered once.
    if (this.#owesUpdate && !this.#conn.writableNeedDrain && !this.writableEnded) this.#updateKeys()
  }

  #keepTicket(body: Buffer): void {
    const { suite, resumptionSecret, certificates } = this.#established
    const { lifetime, ageAdd, nonce, ticket: bytes } = readNewSessionTicket(body)
    const psk = resumptionPsk(suite, resumptionSecret, nonce)
    this.#onTicket({
      suite,
      psk,
      bytes,
      ageAdd,
      received: Date.now(),
      lifetime: ticketLifetime(lifetime),
      certificates,
    })
  }

  #updateKeys(): void {
    const { suite } = this.#established
    this.#owesUpdate = false
    for (const part of this.#sealer.seal(contentTypes.handshake, keyUpdate())) this.#conn.write(part)
    this.#clientSecret = updatedSecret(suite, this.#clientSecret)
    this.#sealer = new RecordSealer(suite, this.#clientSecret)
  }

  /** What follows close_notify is of no meaning, and is read only so that `conn` can end. */
  #endOfServer(): void {
    this.#over = true
    this.push(null)
    this.#conn.resume()
  }

  /** What the server sent breaks the protocol. It is told so, and nothing more is read. */
  #refuse(error: Error): void {
    const conn = this.#conn
    if (error instanceof TlsFault && !(error instanceof AlertFromServer) && !conn.writableEnded) {
      for (const part of this.#sealer.seal(contentTypes.alert, alertBytes(error.alert))) conn.write(part)
    }
    conn.end()
    const timer = setTimeout(() => conn.destroy(), ALERT_TIME)
    conn.once('close', () => clearTimeout(timer))
    this.#fail(error)
  }

  /** destroy() throws away what was pushed and not yet read, so it waits until the reader has caught up. */
  #fail(error?: Error): void {
    if (!this.#failed) this.#failure = error
    this.#failed = true
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
    if (this.#failed || this.#over) return
    if (!this.#reading) this.#conn.on('data', this.#take)
    this.#reading = true
    this.#conn.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send([chunk], done)
  }

  override _writev(chunks: { readonly chunk: Buffer }[], done: Done): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    )
  }

  /** Small writes that have come together go out in one record. */
  #send(chunks: readonly Buffer[], done: Done): void {
    if (this.#failed) return done()
    this.#waiting = done
    const [first = Buffer.alloc(0)] = chunks
    const bytes = chunks.length === 1 ? first : Buffer.concat(chunks)
    const conn = this.#conn
    conn.cork()
    for (let at = 0; at < bytes.length; at += this.#maxContent) {
      if (this.#owesUpdate || this.#sealer.count >= MAX_RECORDS) this.#updateKeys()
      for (const part of this.#sealer.seal(contentTypes.applicationData, bytes.subarray(at, at + this.#maxContent))) {
        conn.write(part)
      }
    }
    // An empty write calls back after all before it.
    conn.write(Buffer.alloc(0), (error) => {
      // If the connection broke, its own events say how.
      if (!error) this.#release()
    })
    conn.uncork()
  }

  override _final(done: Done): void {
    this.#waiting = done
    if (this.#failed || this.#conn.destroyed) return this.#release()
    for (const part of this.#sealer.seal(contentTypes.alert, alertBytes('close_notify'))) this.#conn.write(part)
    this.#conn.end((error?: Error | null) => {
      if (!error) this.#release()
    })
    // Somebody has to read up to the server's end, or `conn` never closes.
    if (this.#over) this.#conn.resume()
  }

  #release(error?: Error): void {
    const done = this.#waiting
    this.#waiting = undefined
    done?.(error)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#release(error ?? new PtError('PT_CLOSED', 'the connection is closed'))
    // After a fault the alert is still on its way.
    if (!(error instanceof TlsFault)) this.#conn.destroy()
    done(error)
  }
}
