/**
 * Signatures: of handshakes by scheme (RFC 8446, section 4.2.3), and of certificates by their algorithm. ML-DSA is node:crypto's if it
 * has it (24.6 and later), or else that of @noble/post-quantum.
 */
import type { KeyObject, VerifyKeyObjectInput } from 'node:crypto'
import { constants, createPublicKey, verify } from 'node:crypto'
import { DerReader, tags } from './der.ts'

interface Scheme {
  /** The type of key it is for, as node:crypto names it, and its curve. */
  readonly key: string
  readonly curve?: string
  readonly hash?: string
}

/** The schemes that a handshake of TLS 1.3 may be signed with; those of RSA with PKCS #1 v1.5 and of SHA-1 are not among them. */
const schemes: Readonly<Record<number, Scheme>> = {
  0x0403: { key: 'ec', curve: 'prime256v1', hash: 'sha256' },
  0x0503: { key: 'ec', curve: 'secp384r1', hash: 'sha384' },
  0x0603: { key: 'ec', curve: 'secp521r1', hash: 'sha512' },
  0x0804: { key: 'rsa', hash: 'sha256' },
  0x0805: { key: 'rsa', hash: 'sha384' },
  0x0806: { key: 'rsa', hash: 'sha512' },
  0x0904: { key: 'ml-dsa-44' },
  0x0905: { key: 'ml-dsa-65' },
  0x0906: { key: 'ml-dsa-87' },
}

const mlDsaOids: Readonly<Record<string, MlDsa>> = {
  '2.16.840.1.101.3.4.3.17': 'ml-dsa-44',
  '2.16.840.1.101.3.4.3.18': 'ml-dsa-65',
  '2.16.840.1.101.3.4.3.19': 'ml-dsa-87',
}

type MlDsa = 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87'

/** The algorithms of certificates whose signatures cannot be forged: RSA with SHA-2, ECDSA with SHA-2, Ed25519. */
const soundAlgorithms = new Set([
  '1.2.840.113549.1.1.10', // RSASSA-PSS, whose hash is a parameter
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
])

/** The least length of an RSA key, in bits. */
const LEAST_RSA = 2048

/** A key of a certificate or of a delegated credential. */
export interface PublicKey {
  readonly type: string
  readonly curve: string | undefined
  /** Of node:crypto; undefined if this Node cannot read it. */
  readonly object: KeyObject | undefined
  /** The bytes of a key of ML-DSA. */
  readonly raw: Buffer
}

/** Throws an Error if `spki` is no key. `x509` is a certificate of that key, if there is one: to ask it costs less than to read `spki`. */
export function readPublicKey(spki: Buffer, x509?: { readonly publicKey: KeyObject }): PublicKey {
  const info = new DerReader(spki).inside()
  const mlDsa = mlDsaOids[info.inside().oid()]
  const raw = info.next(tags.bitString).value.subarray(1)
  if (mlDsa !== undefined) return { type: mlDsa, curve: undefined, object: readable(spki), raw }
  const object = x509?.publicKey ?? createPublicKey({ key: spki, format: 'der', type: 'spki' })
  const { namedCurve } = object.asymmetricKeyDetails ?? {}
  return { type: object.asymmetricKeyType ?? '', curve: namedCurve, object, raw }
}

function readable(spki: Buffer): KeyObject | undefined {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}

/** True if a key is long enough to be relied on. */
export function isStrong(key: PublicKey): boolean {
  return key.type !== 'rsa' || (key.object?.asymmetricKeyDetails?.modulusLength ?? 0) >= LEAST_RSA
}

/** True if a handshake of TLS 1.3 that is signed with `scheme` can be verified. */
export function hasScheme(scheme: number): boolean {
  return Object.hasOwn(schemes, scheme)
}

/** True if `scheme` is one of TLS 1.3 and fits the kind of `key`. */
export function fits(scheme: number, { type, curve }: PublicKey): boolean {
  const { key, curve: wanted } = schemes[scheme] ?? {}
  return key === type && wanted === curve
}

/** Verifies what a handshake signs. The scheme has to fit the key. */
export async function verifyScheme(scheme: number, key: PublicKey, data: Buffer, signature: Buffer): Promise<boolean> {
  const { hash, key: type } = schemes[scheme] ?? {}
  if (hash === undefined) return await verifyMlDsa(key, data, signature)
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  const input: VerifyKeyObjectInput = { key: key.object!, ...(type === 'rsa' ? pss : {}) }
  return verify(hash, data, input, signature)
}

/** The parts of a certificate that its issuer's signature is of. */
export interface SignedCertificate {
  readonly tbs: Buffer
  readonly signatureAlgorithm: string
  readonly signature: Buffer
  readonly x509: { verify(key: KeyObject): boolean }
}

/** True if `key` signed the certificate, with an algorithm that is sound. */
export async function verifyIssued(certificate: SignedCertificate, key: PublicKey): Promise<boolean> {
  const mlDsa = mlDsaOids[certificate.signatureAlgorithm]
  if (mlDsa !== undefined) return mlDsa === key.type && (await verifyMlDsa(key, certificate.tbs, certificate.signature))
  if (!soundAlgorithms.has(certificate.signatureAlgorithm) || key.object === undefined) return false
  return certificate.x509.verify(key.object)
}

async function verifyMlDsa({ type, object, raw }: PublicKey, data: Buffer, signature: Buffer): Promise<boolean> {
  if (object !== undefined) return verify(null, data, object, signature)
  const dsa = await import('@noble/post-quantum/ml-dsa.js')
  const byType = { 'ml-dsa-44': dsa.ml_dsa44, 'ml-dsa-65': dsa.ml_dsa65, 'ml-dsa-87': dsa.ml_dsa87 }
  return byType[type as MlDsa].verify(signature, data, raw)
}
