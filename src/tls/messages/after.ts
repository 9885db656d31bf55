/** Messages that come after the handshake: NewSessionTicket and KeyUpdate (RFC 8446, section 4.6). */
import { TlsFault } from '../alert.ts'
import { Reader, u8 } from '../wire.ts'
import { readExtensions } from './extensions.ts'
import { handshakeMessage, handshakeTypes } from './handshake.ts'

export interface NewSessionTicket {
  /** In seconds. */
  readonly lifetime: number
  readonly ageAdd: number
  readonly nonce: Buffer
  readonly ticket: Buffer
}

/** lifetime u32 | age_add u32 | nonce <0..255> | ticket <1..2^16-1> | extensions. Unknown extensions are ignored. */
export function readNewSessionTicket(body: Buffer): NewSessionTicket {
  const reader = new Reader(body, 'NewSessionTicket')
  const ticket = { lifetime: reader.u32(), ageAdd: reader.u32(), nonce: reader.vector(1), ticket: reader.vector(2, 1) }
  readExtensions(reader)
  reader.end()
  return ticket
}

/** True if the server wants an update of our keys in return. */
export function readKeyUpdate(body: Buffer): boolean {
  const reader = new Reader(body, 'KeyUpdate')
  const request = reader.u8()
  reader.end()
  if (request > 1) throw new TlsFault('illegal_parameter', 'the server sent a KeyUpdate of no known kind')
  return request === 1
}

/** It never asks for an update in return: the server updates its own direction if it wants to. */
export function keyUpdate(): Buffer {
  return handshakeMessage(handshakeTypes.keyUpdate, u8(0))
}
