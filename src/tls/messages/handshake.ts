/**
 * Handshake messages (RFC 8446, section 4): a type, a length, and a body.
 *
 *     type u8 | length u24 | body
 */
import { TlsFault } from '../alert.ts'
import { uint, u8 } from '../wire.ts'

export const handshakeTypes = {
  clientHello: 1,
  serverHello: 2,
  newSessionTicket: 4,
  encryptedExtensions: 8,
  certificate: 11,
  certificateRequest: 13,
  certificateVerify: 15,
  finished: 20,
  keyUpdate: 24,
  compressedCertificate: 25,
} as const

const HEADER_LENGTH = 4
/** The longest message that is taken, in bytes: a chain of certificates, as large as Chromium lets it be. */
export const MAX_MESSAGE: number = 2 ** 17

export interface HandshakeMessage {
  readonly type: number
  readonly body: Buffer
  /** With its header, as the transcript has it. */
  readonly whole: Buffer
}

export function handshakeMessage(type: number, ...body: readonly Uint8Array[]): Buffer {
  const length = body.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([u8(type), uint(length, 3), ...body])
}

/** Puts the messages together that the content of handshake records holds: several in one, or one in several. */
export class MessageAssembler {
  #held: Buffer = Buffer.alloc(0)

  /** True if a message has begun, or another one waits. Keys may not change then (RFC 8446, section 5.1). */
  get isAmid(): boolean {
    return this.#held.length > 0
  }

  add(content: Buffer): void {
    if (content.length === 0) throw new TlsFault('unexpected_message', 'the server sent an empty handshake record')
    this.#held = this.#held.length === 0 ? content : Buffer.concat([this.#held, content])
  }

  /** The next whole message, or undefined if more records are needed. */
  next(): HandshakeMessage | undefined {
    const held = this.#held
    if (held.length < HEADER_LENGTH) return undefined
    const end = HEADER_LENGTH + held.readUIntBE(1, 3)
    if (end - HEADER_LENGTH > MAX_MESSAGE) {
      throw new TlsFault('illegal_parameter', `the server sent a handshake message of more than ${MAX_MESSAGE} bytes`)
    }
    if (held.length < end) return undefined
    this.#held = held.subarray(end)
    return { type: held[0]!, body: held.subarray(HEADER_LENGTH, end), whole: held.subarray(0, end) }
  }
}
