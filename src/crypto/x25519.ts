/**
 * X25519 (RFC 7748) on raw 32-byte keys.
 *
 * Keys go through JWK: Node 20 takes ten times as long to read the same bytes as DER. A private JWK holds the public key
 * too; Node up to 24 wants something in its place and does not look at it, and Node 26, which is quick at DER, wants it right.
 */
import type { KeyObject } from 'node:crypto'
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'

/** The bytes of a private key, a public key or a shared secret. */
export const x25519KeyLength = 32

const jwk = { kty: 'OKP', crv: 'X25519' }

/** PKCS #8 (RFC 8410, section 7) up to the key itself. */
const pkcs8Head = Buffer.from('302e020100300506032b656e04220420', 'hex')

const privateKeyOf: (bytes: Uint8Array) => KeyObject = readsHalfJwk() ? fromJwk : fromPkcs8

/** A private key from any 32 bytes; clamped by X25519 itself, as each use of it does. */
export function x25519PrivateKey(bytes: Uint8Array): KeyObject {
  return privateKeyOf(bytes)
}

/** A public key from any 32 bytes. */
export function x25519PublicKey(bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: { ...jwk, x: base64url(bytes) }, format: 'jwk' })
}

/** The public key of a private key, in its 32 bytes. */
export function x25519PublicBytes(privateKey: KeyObject): Buffer {
  return Buffer.from(createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '', 'base64url')
}

/** The shared secret, or undefined where it is all zero: the peer's key was a point of low order. */
export function x25519(privateKey: KeyObject, publicKey: KeyObject): Buffer | undefined {
  try {
    return diffieHellman({ privateKey, publicKey })
  } catch (error) {
    // What OpenSSL says of an all-zero secret, since a handshake on it would be authenticated by nobody.
    if ((error as NodeJS.ErrnoException).code === 'ERR_OSSL_FAILED_DURING_DERIVATION') return undefined
    throw error
  }
}

function fromJwk(bytes: Uint8Array): KeyObject {
  return createPrivateKey({ key: { ...jwk, d: base64url(bytes), x: '' }, format: 'jwk' })
}

function fromPkcs8(bytes: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Head, bytes]), format: 'der', type: 'pkcs8' })
}

function readsHalfJwk(): boolean {
  try {
    return fromJwk(new Uint8Array(x25519KeyLength)).asymmetricKeyType === 'x25519'
  } catch {
    return false
  }
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}
