/** The records of a handshake, as messages that are awaited one after another. The only reader and writer of its stream meanwhile. */
import type { Duplex } from 'node:stream'
import { readSome } from '../io/read.ts'
import type { Cancellation } from '../io/wait/cancellation.ts'
import type { AlertName } from './alert.ts'
import { alertBytes, alertName, TlsFault } from './alert.ts'
import type { HandshakeMessage } from './messages/handshake.ts'
import { MessageAssembler } from './messages/handshake.ts'
import { contentTypes, HEADER_LENGTH, MAX_CONTENT, plainRecord, RecordOpener, RecordSealer } from './record.ts'
import { RecordCutter } from './record-cutter.ts'
import type { Suite } from './suites.ts'

/** How many records in a row may carry nothing: ChangeCipherSpec and user_canceled. BoringSSL puts up with as many. */
const MAX_IDLE = 32

const changeCipherSpec = plainRecord(contentTypes.changeCipherSpec, Buffer.of(1))

export class HandshakeWire {
  readonly #conn: Duplex
  readonly #signal: Cancellation
  readonly #messages = new MessageAssembler()
  readonly #cutter = new RecordCutter()
  #opener: RecordOpener | undefined
  #sealer: RecordSealer | undefined
  #changed = false
  #idle = 0

  constructor(conn: Duplex, signal: Cancellation) {
    this.#conn = conn
    this.#signal = signal
  }

  /** The next message. */
  async next(): Promise<HandshakeMessage> {
    for (;;) {
      const message = this.#messages.next()
      if (message !== undefined) return message
      await this.#readRecord()
    }
  }

  /** The next message, which has to be of one of these types. */
  async expect(...types: readonly number[]): Promise<HandshakeMessage> {
    const message = await this.next()
    if (!types.includes(message.type)) {
      throw new TlsFault(
        'unexpected_message',
        `the server sent a handshake message of type ${message.type} out of order`,
      )
    }
    return message
  }

  /** From the next record on the server's records are protected. */
  openWith(suite: Suite, secret: Buffer): void {
    this.checkBoundary()
    this.#opener = new RecordOpener(suite, secret)
  }

  /** Keys change between two records, never within one. */
  checkBoundary(): void {
    if (this.#messages.isAmid) {
      throw new TlsFault('unexpected_message', 'the server sent handshake messages across a change of keys')
    }
  }

  /** From now on our records are protected. */
  sealWith(suite: Suite, secret: Buffer): void {
    this.#sealer = new RecordSealer(suite, secret)
  }

  /** Sends the first hello, whose record has an older version. */
  sendFirst(message: Buffer): void {
    this.#conn.write(plainRecord(contentTypes.handshake, message, 0x0301))
  }

  /** Sends messages in one write, with a ChangeCipherSpec before the first of them (RFC 8446, appendix D.4). */
  send(...messages: readonly Buffer[]): void {
    this.#write(contentTypes.handshake, Buffer.concat(messages))
  }

  /** What came after the server's last message. The next reader begins with it. */
  takeRest(): Buffer {
    return this.#cutter.takeRest()
  }

  sendAlert(alert: AlertName): void {
    this.#write(contentTypes.alert, alertBytes(alert))
  }

  #write(type: number, content: Buffer): void {
    const parts: Buffer[] = []
    if (!this.#changed && (this.#sealer !== undefined || type === contentTypes.handshake)) {
      parts.push(changeCipherSpec)
      this.#changed = true
    }
    for (let at = 0; at < content.length; at += MAX_CONTENT) {
      const piece = content.subarray(at, at + MAX_CONTENT)
      parts.push(this.#sealer?.seal(type, piece) ?? plainRecord(type, piece))
    }
    this.#conn.write(Buffer.concat(parts))
  }

  async #readRecord(): Promise<void> {
    const record = await this.#nextRecord()
    const type = record[0]!
    if (type === contentTypes.changeCipherSpec) return this.#ignoreChange(record.subarray(HEADER_LENGTH))
    if (this.#opener === undefined) return this.#take(type, record.subarray(HEADER_LENGTH))
    if (type !== contentTypes.applicationData) {
      throw new TlsFault('unexpected_message', 'the server sent a record in plain after the keys were agreed')
    }
    const { type: inner, content } = this.#opener.open(record)
    this.#take(inner, content)
  }

  async #nextRecord(): Promise<Buffer> {
    for (;;) {
      const record = this.#cutter.next(this.#opener !== undefined)
      if (record !== undefined) return record
      this.#cutter.add(await readSome(this.#conn, this.#signal))
    }
  }

  #ignoreChange(fragment: Buffer): void {
    if (fragment.length !== 1 || fragment[0] !== 1) {
      throw new TlsFault('unexpected_message', 'the server sent a malformed ChangeCipherSpec')
    }
    this.#countIdle()
  }

  #countIdle(): void {
    if (++this.#idle > MAX_IDLE) throw new TlsFault('unexpected_message', 'the server sends records without content')
  }

  #take(type: number, content: Buffer): void {
    if (type === contentTypes.alert && readAlert(content) === 'ignore') return this.#countIdle()
    if (type !== contentTypes.handshake) {
      throw new TlsFault('unexpected_message', 'the server sent data before the handshake was over')
    }
    this.#messages.add(content)
  }
}

const USER_CANCELED = 90

/** What an alert that came means. Throws for all but close_notify and user_canceled, which says nothing. */
export function readAlert(content: Buffer): 'ignore' | 'close' {
  const [level, description = -1] = content
  if (content.length !== 2) throw new TlsFault('decode_error', 'the server sent a malformed alert')
  if (level !== 1 && level !== 2) throw new TlsFault('illegal_parameter', 'the server sent an alert of no known level')
  if (description === USER_CANCELED) return 'ignore'
  if (description === 0) return 'close'
  throw new AlertFromServer(description)
}

/** The server ended the connection with an alert. It is not answered. */
export class AlertFromServer extends TlsFault {
  constructor(description: number) {
    super('close_notify', `the server ended the connection with the TLS alert ${alertName(description)}`)
  }
}
