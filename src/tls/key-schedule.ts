/**
 * The key schedule (RFC 8446, section 7.1).
 *
 *     0 ─ HKDF-Extract(PSK or 0) = Early Secret ──┬─ "res binder" ── binder key
 *              │ "derived"
 *          HKDF-Extract((EC)DHE) = Handshake Secret ──┬─ "c hs traffic"
 *              │ "derived"                            └─ "s hs traffic"
 *          HKDF-Extract(0) = Main Secret ──┬─ "c ap traffic"
 *                                          ├─ "s ap traffic"
 *                                          └─ "res master"
 */
import { createHash, createHmac, createSecretKey } from 'node:crypto'
import { hmac } from '../crypto/hmac.ts'
import type { Suite } from './suites.ts'
import { u16, u8, vector } from './wire.ts'

/** HMAC of the hash of `suite`. */
function hmacOf(suite: Suite, key: Uint8Array, data: Uint8Array): Buffer {
  if (suite.hash === 'sha256') return hmac(key, data)
  // Node 24 takes three times as long with bytes in place of a key object.
  return createHmac(suite.hash, createSecretKey(key)).update(data).digest()
}

export function hashOf(suite: Suite, ...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash(suite.hash)
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/**
 * HKDF-Expand-Label. Nothing of TLS 1.3 is longer than one hash, so HKDF-Expand (RFC 5869, section 2.3) is its first block alone:
 * T(1) = HMAC(secret, info | 01).
 */
function expandLabel(suite: Suite, secret: Buffer, label: string, context: Uint8Array, length: number): Buffer {
  const info = Buffer.concat([u16(length), vector(1, Buffer.from(`tls13 ${label}`)), vector(1, context), u8(1)])
  return hmacOf(suite, secret, info).subarray(0, length)
}

/** Derive-Secret, with the hash of the transcript in place of the messages. */
export function deriveSecret(suite: Suite, secret: Buffer, label: string, transcriptHash: Uint8Array): Buffer {
  return expandLabel(suite, secret, label, transcriptHash, suite.hashLength)
}

/** The Early Secret; without a PSK its place is taken by zeros. */
export function earlySecret(suite: Suite, psk: Buffer = Buffer.alloc(suite.hashLength)): Buffer {
  return hmacOf(suite, Buffer.alloc(suite.hashLength), psk)
}

/** The next secret of the column, which `input` goes into. */
export function nextSecret(suite: Suite, secret: Buffer, input: Buffer = Buffer.alloc(suite.hashLength)): Buffer {
  return hmacOf(suite, deriveSecret(suite, secret, 'derived', hashOf(suite)), input)
}

/** The verify_data of a Finished message, or a binder (sections 4.2.11.2 and 4.4.4). */
export function finishedMac(suite: Suite, baseKey: Buffer, transcriptHash: Uint8Array): Buffer {
  return hmacOf(suite, expandLabel(suite, baseKey, 'finished', Buffer.alloc(0), suite.hashLength), transcriptHash)
}

/** The key that a binder of a ticket's PSK is made with. */
export function binderKey(suite: Suite, psk: Buffer): Buffer {
  return deriveSecret(suite, earlySecret(suite, psk), 'res binder', hashOf(suite))
}

/** The PSK that comes with a ticket (section 4.6.1). */
export function resumptionPsk(suite: Suite, resumptionSecret: Buffer, nonce: Uint8Array): Buffer {
  return expandLabel(suite, resumptionSecret, 'resumption', nonce, suite.hashLength)
}

/** The secret of the same direction after a KeyUpdate (section 7.2). */
export function updatedSecret(suite: Suite, secret: Buffer): Buffer {
  return expandLabel(suite, secret, 'traffic upd', Buffer.alloc(0), suite.hashLength)
}

export interface TrafficKeys {
  readonly key: Buffer
  readonly iv: Buffer
}

/** The key and the IV of a traffic secret (section 7.3). */
export function trafficKeys(suite: Suite, secret: Buffer): TrafficKeys {
  return {
    key: expandLabel(suite, secret, 'key', Buffer.alloc(0), suite.keyLength),
    iv: expandLabel(suite, secret, 'iv', Buffer.alloc(0), 12),
  }
}
