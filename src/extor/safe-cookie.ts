/**
 * SAFE_COOKIE, the authentication of the Extended ORPort (proposal 217, sections 4.2.1 and 4.2.2). Each side shows that it
 * holds the cookie, the server first, so that the PT never answers an impostor.
 *
 *     server → PT   01 00                         the types on offer, ended by 00
 *     PT → server   01 <client nonce, 32>
 *     server → PT   <server hash, 32> <server nonce, 32>
 *     PT → server   <client hash, 32>
 *     server → PT   01 (00: refused)
 */
import { createHmac } from 'node:crypto'
import { PtError } from '../error.ts'

export const SAFE_COOKIE = 0x01
export const END_OF_AUTH_TYPES = 0x00
export const AUTH_ACCEPTED = 0x01
export const AUTH_REFUSED = 0x00
export const COOKIE_SIZE = 32
export const NONCE_SIZE = 32
export const HASH_SIZE = 32

/** Computes what the server sends: HMAC-SHA256 over the label and both nonces, under the cookie. Throws PT_EXTOR for a wrong size. */
export function serverHash(cookie: Uint8Array, clientNonce: Uint8Array, serverNonce: Uint8Array): Buffer {
  return hash('ExtORPort authentication server-to-client hash', cookie, clientNonce, serverNonce)
}

/** Computes what the PT answers. Throws PT_EXTOR for a wrong size. */
export function clientHash(cookie: Uint8Array, clientNonce: Uint8Array, serverNonce: Uint8Array): Buffer {
  return hash('ExtORPort authentication client-to-server hash', cookie, clientNonce, serverNonce)
}

function hash(label: string, cookie: Uint8Array, clientNonce: Uint8Array, serverNonce: Uint8Array): Buffer {
  requireSize('cookie', cookie, COOKIE_SIZE)
  requireSize('client nonce', clientNonce, NONCE_SIZE)
  requireSize('server nonce', serverNonce, NONCE_SIZE)
  return createHmac('sha256', cookie).update(label, 'ascii').update(clientNonce).update(serverNonce).digest()
}

function requireSize(what: string, bytes: Uint8Array, size: number): void {
  if (bytes.length === size) return
  throw new PtError('PT_EXTOR', `the ${what} of an Extended ORPort has ${size} bytes, not ${bytes.length}`)
}
