/**
 * X25519 (RFC 7748) on raw 32-byte keys.
 *
 * Keys go through JWK if that is possible: Node 20 takes ten times as long to read the same bytes as DER.
 */
import type { KeyObject } from 'node:crypto'
import { createPrivateKey, createPublicKey, diffieHellman, randomBytes } from 'node:crypto'

/** The bytes of a private key, a public key or a shared secret. */
export const x25519KeyLength = 32

/** PKCS #8 (RFC 8410), up to the 32 bytes of the private key. */
const pkcs8Header = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** A private key from any 32 bytes; clamped by X25519 itself, as each use of it does. */
export function x25519PrivateKey(bytes: Uint8Array): KeyObject {
  return looksAtX() ? privateKeyFromPkcs8(bytes) : privateKeyFromJwk(bytes)
}

/** A JWK has to have `x`, the public key. Up to Node 24 it is not looked at, and is derived from `d`. */
function privateKeyFromJwk(bytes: Uint8Array): KeyObject {
  return createPrivateKey({ key: { kty: 'OKP', crv: 'X25519', d: base64url(bytes), x: '' }, format: 'jwk' })
}

function privateKeyFromPkcs8(bytes: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Header, bytes]), format: 'der', type: 'pkcs8' })
}

/** True from Node 26 on, which refuses an `x` that does not belong to `d`, and reads PKCS #8 as fast as JWK. */
function looksAtX(): boolean {
  return (looks ??= refusesOtherX())
}

// Found out at the first key and not before: it would be a tenth of a PT's start.
let looks: boolean | undefined

function refusesOtherX(): boolean {
  try {
    privateKeyFromJwk(new Uint8Array(x25519KeyLength))
    return false
  } catch {
    return true
  }
}

/**
 * A fresh pair. It is not drawn by generateKeyPairSync(): the process hangs for ever if the collector frees the job that drew a key
 * while that key is exported, as both lock it (docs/decisions/0089-keys-that-hang.md).
 */
export function makeX25519Keys(): { readonly privateKey: KeyObject; readonly publicBytes: Buffer } {
  const privateKey = x25519PrivateKey(randomBytes(x25519KeyLength))
  return { privateKey, publicBytes: x25519PublicBytes(privateKey) }
}

/** A public key from any 32 bytes. */
export function x25519PublicKey(bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: base64url(bytes) }, format: 'jwk' })
}

/** The public key of a private key, in its 32 bytes. */
export function x25519PublicBytes(privateKey: KeyObject): Buffer {
  return rawBytes(createPublicKey(privateKey))
}

function rawBytes(publicKey: KeyObject): Buffer {
  return Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
}

/** Computes the shared secret; undefined if it is all zero: the peer's key was a point of low order. */
export function x25519(privateKey: KeyObject, publicKey: KeyObject): Buffer | undefined {
  try {
    return diffieHellman({ privateKey, publicKey })
  } catch (error) {
    // OpenSSL says this of an all-zero secret, on which a handshake would prove nothing.
    if ((error as NodeJS.ErrnoException).code === 'ERR_OSSL_FAILED_DURING_DERIVATION') return undefined
    throw error
  }
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}
