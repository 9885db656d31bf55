/**
 * Delegated credentials (RFC 9345): a key of a few days that the server's certificate signs, so that the key of the certificate itself
 * need not be at the server.
 *
 *     valid_time u32 | scheme of CertificateVerify u16 | SPKI <1..2^24-1>  | scheme u16 | signature <1..2^16-1>
 */
import { TlsFault } from '../alert.ts'
import { Reader } from '../wire.ts'
import type { Certificate } from './certificate.ts'
import { keyUsageBits } from './certificate.ts'
import type { PublicKey } from './signatures.ts'
import { fits, isStrong, readPublicKey, verifyScheme } from './signatures.ts'

/** In seconds: seven days (RFC 9345, section 4.1.3). */
const MAX_VALIDITY = 604_800

const context = Buffer.concat([Buffer.alloc(64, ' '), Buffer.from('TLS, server delegated credentials\0')])

export interface CredentialOptions {
  readonly leaf: Certificate
  /** The schemes that the handshake may be signed with, of the extension delegated_credentials. */
  readonly credentialSchemes: readonly number[]
  /** The schemes of signature_algorithms. */
  readonly schemes: readonly number[]
  readonly now: number
}

export interface DelegatedKey {
  readonly key: PublicKey
  /** The only scheme that the handshake may be signed with. */
  readonly scheme: number
}

/** The key of a credential, after it has been verified. */
export async function readDelegatedCredential(data: Buffer, options: CredentialOptions): Promise<DelegatedKey> {
  const { leaf, credentialSchemes, schemes, now } = options
  const reader = new Reader(data, 'delegated credential')
  const validity = reader.u32()
  const scheme = reader.u16()
  const spki = reader.vector(3, 1)
  const signed = data.subarray(0, data.length - reader.left + 2)
  const algorithm = reader.u16()
  const signature = reader.vector(2, 1)
  reader.end()
  const expires = leaf.notBefore / 1000 + validity
  if (expires < now / 1000 || expires > now / 1000 + MAX_VALIDITY) throw refused('its time is wrong')
  if (!leaf.extensions.delegates || leaf.extensions.keyUsage?.has(keyUsageBits.digitalSignature) !== true) {
    throw refused('the certificate may not sign one')
  }
  if (!credentialSchemes.includes(scheme) || !schemes.includes(algorithm)) throw refused('its scheme was not offered')
  const key = readKey(spki)
  const issuer = leaf.key
  if (!fits(scheme, key) || !isStrong(key) || !fits(algorithm, issuer)) throw refused('its scheme does not fit its key')
  const message = Buffer.concat([context, leaf.der, signed])
  if (!(await verifyScheme(algorithm, issuer, message, signature))) throw refused('its signature is wrong')
  return { key, scheme }
}

function readKey(spki: Buffer): PublicKey {
  try {
    return readPublicKey(spki)
  } catch {
    throw refused('its key cannot be read')
  }
}

function refused(why: string): TlsFault {
  return new TlsFault('illegal_parameter', `the server's delegated credential is refused: ${why}`)
}
