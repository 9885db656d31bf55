/**
 * What both sides' hellos are made of.
 *
 *     client   X' (32) | padding | mark | MAC
 *     server   Y' (32) | AUTH (32) | padding | mark | MAC | first frame
 *
 *     mark     HMAC16(K, X') or HMAC16(K, Y'): it marks the end of the padding
 *     MAC      HMAC16(K, all before it | E), E the hour since 1970 in decimal, the client's in both hellos
 *     K        B | NODEID
 */
import type { HmacKey } from '../../crypto/hmac.ts'
import { equalBytes } from '../../crypto/equal-bytes.ts'
import { hmac16, hmacs, macLength } from '../../crypto/hmac.ts'
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

/**
 * For which of `hours` a MAC is. All of them are tried, and no comparison ends early: how long it takes must not show which hour it
 * was, or that it was one.
 */
export function hourOfMac(
  key: HmacKey,
  signed: Uint8Array,
  mac: Uint8Array,
  hours: readonly number[],
): number | undefined {
  // map() makes arrays of another kind once it is optimized, and functions that take them are compiled again.
  const texts: string[] = []
  for (const hour of hours) texts.push(String(hour))
  const macs = hmacs(key, signed, texts)
  let found: number | undefined
  for (const [i, hour] of hours.entries()) {
    const fits = equalBytes(macs[i]!.subarray(0, macLength), mac)
    if (fits) found = hour
  }
  return found
}

/** For a MAC that does not fit: returns by how many hours its maker's clock is ahead of `hour`, if that explains it. */
export function hoursAhead(key: HmacKey, signed: Uint8Array, mac: Uint8Array, hour: number): number | undefined {
  const hours = Array.from({ length: 2 * maxHoursOff + 1 }, (_, i) => hour + i - maxHoursOff)
  const found = hourOfMac(key, signed, mac, hours)
  return found === undefined ? undefined : found - hour
}
