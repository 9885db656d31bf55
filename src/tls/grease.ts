/**
 * GREASE (RFC 8701): values of the form XaXa, which servers have to ignore. BoringSSL draws one for each place of a connection; that of
 * a group stands both in supported_groups and in key_share.
 */
import { randomPiece } from '../crypto/random.ts'

export interface Grease {
  readonly suite: number
  readonly group: number
  readonly version: number
  readonly scheme: number
  readonly firstExtension: number
  /** Never the same as the first one: no extension may stand in a hello twice. */
  readonly lastExtension: number
}

export function makeGrease(): Grease {
  const [suite, group, version, scheme, firstExtension, last] = [...randomPiece(6)].map(greaseValue) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return {
    suite,
    group,
    version,
    scheme,
    firstExtension,
    lastExtension: last === firstExtension ? last ^ 0x1010 : last,
  }
}

function greaseValue(random: number): number {
  const byte = (random & 0xf0) | 0x0a
  return (byte << 8) | byte
}

/** True for the sixteen values that mean nothing. */
export function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)
}
