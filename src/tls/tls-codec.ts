/**
 * The records of a connection after its handshake: content to records and back, tickets, updates of keys, and the end. It has the
 * direct form of a codec (io/carry/codec.ts), so that splice() can carry a TLS connection without streams.
 */
import { PtError } from '../error.ts'
import type { DirectCodec } from '../io/carry/codec.ts'
import { readMemory } from '../io/tcp/read-memory.ts'
import { alertBytes, TlsFault } from './alert.ts'
import type { Established } from './handshake.ts'
import { AlertFromServer, readAlert } from './handshake-wire.ts'
import { resumptionPsk, updatedSecret } from './key-schedule.ts'
import { keyUpdate, readKeyUpdate, readNewSessionTicket } from './messages/after.ts'
import type { HandshakeMessage } from './messages/handshake.ts'
import { handshakeTypes, MessageAssembler } from './messages/handshake.ts'
import { contentTypes, freeNow, MAX_CONTENT, MAX_RECORDS, RecordOpener, RecordSealer, sealedLength } from './record.ts'
import { RecordCutter } from './record-cutter.ts'
import type { Ticket } from './tickets.ts'
import { ticketLifetime } from './tickets.ts'

/** How many empty records may come in a row, and how many messages of the handshake without data between them: each as with BoringSSL. */
const MAX_EMPTY = 32
const MAX_MESSAGES = 32
/** How many alerts in a row may say nothing, as with BoringSSL. */
const MAX_WARNINGS = 4
/** The most that is encoded at a time, in bytes: as much as a socket is read at a time. */
export const MOST_ENCODED = 65_536

const nothing = Buffer.alloc(0)
const update = keyUpdate()

/**
 * Records are written to the one, and the content of a read to the other, by all connections, each for the length of one write.
 * Undefined after one of them has kept it.
 */
let outgoing: Buffer | undefined
let incoming: Buffer | undefined

/** More than the part of a record that came with earlier reads. */
const MOST_HELD = 2 * MAX_CONTENT

/** The content of a read is shorter than the read and the part of a record before it. */
function memoryForContent(read: number): Buffer {
  const needed = read + MOST_HELD
  if (incoming === undefined || incoming.length < needed) incoming = Buffer.allocUnsafeSlow(needed)
  return incoming
}

function memoryFor(length: number): Buffer {
  if (outgoing === undefined || outgoing.length < length) outgoing = Buffer.allocUnsafeSlow(length)
  return outgoing
}

export interface TlsCodecOptions {
  readonly established: Established
  readonly onTicket: (ticket: Ticket) => void
  /** True if the server may end without close_notify. */
  readonly mayEndAbruptly?: boolean
}

export class TlsCodec implements DirectCodec {
  readonly input: Uint8Array = readMemory()
  readonly #established: Established
  readonly #onTicket: (ticket: Ticket) => void
  readonly #mayEndAbruptly: boolean
  readonly #cutter = new RecordCutter()
  readonly #messages = new MessageAssembler()
  readonly #maxContent: number
  #serverSecret: Buffer
  #clientSecret: Buffer
  #opener: RecordOpener
  #sealer: RecordSealer
  #empty = 0
  #messagesInRow = 0
  #warnings = 0
  #owesUpdate = false
  #isOver = false
  #gathers = false
  #gaveContent = false

  constructor({ established, onTicket, mayEndAbruptly = false }: TlsCodecOptions) {
    const { suite, clientSecret, serverSecret, recordSizeLimit } = established
    this.#established = established
    this.#onTicket = onTicket
    this.#mayEndAbruptly = mayEndAbruptly
    this.#maxContent = Math.min(MAX_CONTENT, (recordSizeLimit ?? MAX_CONTENT + 1) - 1)
    this.#clientSecret = clientSecret
    this.#serverSecret = serverSecret
    this.#sealer = new RecordSealer(suite, clientSecret)
    this.#opener = new RecordOpener(suite, serverSecret)
  }

  /** True after the server's close_notify, or after an end that does without it. What follows is of no meaning. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** True if the server wants an update of our keys, which goes out before the next record. */
  get owesUpdate(): boolean {
    return this.#owesUpdate
  }

  /** The records around `payload`, and before them what is owed. The next call of any connection overwrites them, unless hold() is called. */
  encode(payload: Uint8Array): Buffer {
    const most = this.#maxContent
    const records = Math.ceil(payload.length / most)
    this.#gaveContent = false
    const memory = memoryFor(payload.length + records * sealedLength(0) + sealedLength(update.length))
    let at = 0
    if (this.#owesUpdate || this.#sealer.count + records > MAX_RECORDS) at = this.#updateKeys(memory)
    for (let from = 0; from < payload.length; from += most) {
      const content = payload.length <= most ? payload : payload.subarray(from, from + most)
      at = this.#sealer.sealInto(memory, at, contentTypes.applicationData, content)
    }
    return memory.subarray(0, at)
  }

  #updateKeys(memory: Buffer): number {
    const end = this.#sealer.sealInto(memory, 0, contentTypes.handshake, update)
    const { suite } = this.#established
    this.#owesUpdate = false
    this.#clientSecret = updatedSecret(suite, this.#clientSecret)
    this.#sealer = new RecordSealer(suite, this.#clientSecret)
    return end
  }

  /** What encode() or decode() gave last stays as it is for ever: it is left to the caller. */
  hold(): () => void {
    if (this.#gaveContent) incoming = undefined
    else outgoing = undefined
    return release
  }

  /** From now on decode() gives the content of all records of a chunk at once, in memory that its next call overwrites. */
  gather(): void {
    this.#gathers = true
  }

  /** The content of the records of `chunk`, each in memory of its own. Throws if one of them is altered or may not be sent. */
  decode(chunk: Uint8Array): Generator<Buffer, void, undefined> {
    this.#cutter.add(chunk as Buffer)
    return this.#gathers ? this.#gathered(chunk.length) : this.#contents()
  }

  *#contents(): Generator<Buffer, void, undefined> {
    while (!this.#isOver) {
      const record = this.#cutter.next(true)
      if (record === undefined) return
      const content = this.#open(record)
      if (content !== undefined) yield content
    }
  }

  /** One write instead of one for each record; and the memory of each is given back before the next one needs some. */
  *#gathered(read: number): Generator<Buffer, void, undefined> {
    const memory = memoryForContent(read)
    let filled = 0
    let fault: unknown
    try {
      for (const content of this.#contents()) {
        filled += content.copy(memory, filled)
        // A record without padding has one more byte, its type.
        freeNow(content, content.length + 1)
      }
    } catch (error) {
      fault = error
    }
    this.#gaveContent = true
    if (filled > 0) yield memory.subarray(0, filled)
    if (fault !== undefined) throw fault
  }

  #open(record: Buffer): Buffer | undefined {
    if (record[0] !== contentTypes.applicationData) {
      throw new TlsFault('unexpected_message', 'the server sent a record in plain after the handshake')
    }
    const { type, content } = this.#opener.open(record)
    if (type !== contentTypes.handshake && this.#messages.isAmid) {
      throw new TlsFault('unexpected_message', 'the server sent another record amid a handshake message')
    }
    if (type === contentTypes.applicationData) return this.#data(content)
    this.#empty = 0
    if (type === contentTypes.alert) this.#alert(content)
    if (type === contentTypes.handshake) this.#messages.add(content)
    for (let message = this.#messages.next(); message !== undefined; message = this.#messages.next())
      this.#handle(message)
    return undefined
  }

  #data(content: Buffer): Buffer | undefined {
    if (content.length === 0) {
      if (++this.#empty > MAX_EMPTY) throw noData()
      return undefined
    }
    this.#empty = this.#messagesInRow = this.#warnings = 0
    return content
  }

  #alert(content: Buffer): void {
    this.#isOver = readAlert(content) === 'close'
    if (!this.#isOver && ++this.#warnings > MAX_WARNINGS) throw noData()
  }

  #handle({ type, body }: HandshakeMessage): void {
    if (++this.#messagesInRow > MAX_MESSAGES) throw noData()
    if (type === handshakeTypes.newSessionTicket) return this.#keepTicket(body)
    if (type !== handshakeTypes.keyUpdate) {
      throw new TlsFault(
        'unexpected_message',
        `the server sent a handshake message of type ${type} after the handshake`,
      )
    }
    if (this.#messages.isAmid) throw new TlsFault('unexpected_message', 'the server sent a message across a KeyUpdate')
    const { suite } = this.#established
    // A server that asks again and again is answered once, before the next record.
    this.#owesUpdate = readKeyUpdate(body) || this.#owesUpdate
    this.#serverSecret = updatedSecret(suite, this.#serverSecret)
    this.#opener = new RecordOpener(suite, this.#serverSecret)
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

  end(): void {
    this.#isOver ||= this.#mayEndAbruptly && !this.#cutter.isAmid && !this.#messages.isAmid
    if (this.#isOver) return
    throw new PtError('PT_CLOSED', 'the connection ended without close_notify: what came may be cut short')
  }

  /** close_notify; or the alert that tells the server which rule it broke, if it broke one. */
  farewell(error?: unknown): Buffer {
    if (error === undefined) return this.#sealer.seal(contentTypes.alert, alertBytes('close_notify'))
    if (!(error instanceof TlsFault) || error instanceof AlertFromServer) return nothing
    return this.#sealer.seal(contentTypes.alert, alertBytes(error.alert))
  }
}

function noData(): TlsFault {
  return new TlsFault('unexpected_message', 'the server sends records without data')
}

function release(): void {}
