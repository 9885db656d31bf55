/**
 * A pin: the hash of a whole chain as the server sends it, as lyrebird's `cert` argument has it.
 *
 *     h = SHA-256(first certificate), and for each further one h = SHA-256(h | SHA-256(certificate))
 */
import { createHash, timingSafeEqual } from 'node:crypto'

/** In bytes. */
export const pinLength = 32

/** The hash of a chain of certificates in DER, in the order in which the server sends them. */
export function chainHash(certificates: readonly Uint8Array[]): Buffer {
  const [first = Buffer.alloc(0), ...others] = certificates
  return others.reduce<Buffer>((hash, der) => sha256(hash, sha256(der)), sha256(first))
}

export function matchesPin(certificates: readonly Uint8Array[], pin: Uint8Array): boolean {
  return pin.length === pinLength && timingSafeEqual(chainHash(certificates), pin)
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
