/**
 * What both sides' hellos are made of.
 *
 *     client   X' (32) | padding | mark | MAC
 *     server   Y' (32) | AUTH (32) | padding | mark | MAC | first frame
 *
 *     mark     HMAC16(K, X') or HMAC16(K, Y'): where the padding ends
 *     MAC      HMAC16(K, all before it | E), E the hour since 1970 in decimal, the client's in both hellos
 *     K        B | NODEID
 */
import type { HmacKey } from '../../crypto/hmac.ts'
import { equalBytes, hmac16, macLength } from '../../crypto/hmac.ts'
import { msPerHour } from './constants.ts'

/** 'Need more' is no failure: the peer may just be slow. */
export const more = { state: 'more' } as const

/** How far a clock is looked for, in hours. */
const maxHoursOff = 48

export function epochHour(now: number): number {
  return Math.floor(now / msPerHour)
}

export function helloMac(key: HmacKey, signed: Uint8Array, hour: number): Buffer {
  return hmac16(key, signed, String(hour))
}

/** Cuts a hello, the mark of which is at `markAt`, into what is signed and the MAC. */
export function splitMac(bytes: Buffer, markAt: number): { readonly signed: Buffer; readonly mac: Buffer } {
  const macAt = markAt + macLength
  return { signed: bytes.subarray(0, macAt), mac: bytes.subarray(macAt, macAt + macLength) }
}

/** For a MAC that does not fit: by how many hours its maker's clock is ahead of `hour`, where that explains it. */
export function hoursAhead(key: HmacKey, signed: Uint8Array, mac: Uint8Array, hour: number): number | undefined {
  for (let hours = 1; hours <= maxHoursOff; hours++) {
    for (const ahead of [hours, -hours]) {
      if (equalBytes(helloMac(key, signed, hour + ahead), mac)) return ahead
    }
  }
  return undefined
}
