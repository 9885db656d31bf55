/**
 * NaCl's secretbox, XSalsa20-Poly1305.
 *
 *     box      tag (16) | ciphertext
 *
 * The one place that knows which library does it.
 */
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'

export const secretboxTagLength = 16

/** Seals `plain` under a key of 32 bytes and a nonce of 24, which is to be used for this box only. */
export function sealBox(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Uint8Array {
  return xsalsa20poly1305(key, nonce).encrypt(plain)
}

/** Returns the plaintext; undefined if the tag does not fit. The tag is compared in constant time. */
export function openBox(key: Uint8Array, nonce: Uint8Array, box: Uint8Array): Uint8Array | undefined {
  try {
    return xsalsa20poly1305(key, nonce).decrypt(box)
  } catch {
    // A box that is too short or too long is no box either.
    return undefined
  }
}
