/**
 * What both sides compute from the master secret: SHA-256 of the UniformDH secret, or the master key of a ticket.
 *
 *     HKDF-SHA256-Expand(master, "", 144):
 *     [0:32]  client → server AES-256 key    [32:40] its counter prefix     [80:112]  its HMAC key
 *     [40:72] server → client AES-256 key    [72:80] its counter prefix     [112:144] its HMAC key
 *
 *     first counter block = prefix(8) | 00 00 00 00 00 00 00 01
 */
import type { CounterMode } from '../../crypto/counter-mode.ts'
import { counterMode } from '../../crypto/counter-mode.ts'
import { hkdfExpand } from '../../crypto/hmac.ts'

/** One direction: a cipher to be used once, and the key of its MACs. */
export interface DirectionKeys {
  readonly cipher: () => CounterMode
  readonly mac: Buffer
}

export interface SessionKeys {
  readonly toServer: DirectionKeys
  readonly toClient: DirectionKeys
}

export function sessionKeys(master: Uint8Array): SessionKeys {
  const okm = hkdfExpand(master, 144)
  const direction = (cipherAt: number, macAt: number): DirectionKeys => {
    const key = okm.subarray(cipherAt, cipherAt + 32)
    const counter = Buffer.concat([okm.subarray(cipherAt + 32, cipherAt + 40), Buffer.from('0000000000000001', 'hex')])
    return { cipher: () => counterMode(key, counter), mac: okm.subarray(macAt, macAt + 32) }
  }
  return { toServer: direction(0, 80), toClient: direction(40, 112) }
}
