/**
 * Certificate, CompressedCertificate, CertificateRequest and CertificateVerify (RFC 8446, section 4.4, and RFC 8879).
 *
 *     context <0..255> | list <0..2^24-1> of: DER <1..2^24-1>, extensions
 *     algorithm u16 | length u24 | compressed <1..2^24-1>
 *     scheme u16 | signature <0..2^16-1>
 */
import { TlsFault } from '../alert.ts'
import { inflate } from '../inflate.ts'
import { Reader, u8, vector } from '../wire.ts'
import type { Extensions } from './extensions.ts'
import { checkExtensions, extensionTypes, readExtensions } from './extensions.ts'
import { handshakeMessage, handshakeTypes, MAX_MESSAGE } from './handshake.ts'

/** More certificates than this are in no chain. */
const MAX_CERTIFICATES = 16

const allowed = [
  extensionTypes.statusRequest,
  extensionTypes.signedCertificateTimestamp,
  extensionTypes.delegatedCredential,
  extensionTypes.trustAnchors,
]

export interface CertificateList {
  /** As they were sent, the server's own first. There is at least one. */
  readonly certificates: readonly Buffer[]
  /** The delegated credential (RFC 9345) of the server's own certificate. */
  readonly delegatedCredential: Buffer | undefined
}

export function readCertificate(body: Buffer, offered: ReadonlySet<number>): CertificateList {
  const reader = new Reader(body, 'Certificate')
  if (reader.vector(1).length > 0) {
    throw new TlsFault('illegal_parameter', 'the server sent its certificate in answer to a request')
  }
  const list = reader.list(3)
  reader.end()
  const certificates: Buffer[] = []
  let delegatedCredential: Buffer | undefined
  while (list.left > 0) {
    certificates.push(list.vector(3, 1))
    const extensions = readExtensions(list)
    checkExtensions(extensions, 'Certificate', allowed, offered)
    checkStaples(extensions)
    if (certificates.length === 1) delegatedCredential = extensions.get(extensionTypes.delegatedCredential)
    if (certificates.length > MAX_CERTIFICATES) {
      throw new TlsFault('bad_certificate', `the server sent more than ${MAX_CERTIFICATES} certificates`)
    }
  }
  if (certificates.length === 0) throw new TlsFault('decode_error', 'the server sent no certificate')
  return { certificates, delegatedCredential }
}

/** An OCSP response and certificate timestamps are not looked at, but have to have their form, as with browsers. */
function checkStaples(extensions: Extensions): void {
  const response = extensions.get(extensionTypes.statusRequest)
  if (response !== undefined) {
    const reader = new Reader(response, 'OCSP response')
    reader.u8()
    reader.vector(3, 1)
    reader.end()
  }
  const timestamps = extensions.get(extensionTypes.signedCertificateTimestamp)
  if (timestamps !== undefined) readList(timestamps, 'list of certificate timestamps')
}

/** A list of things of one byte or more each; there has to be one. */
function readList(data: Buffer, what: string): void {
  const reader = new Reader(data, what)
  const list = reader.list(2, 1)
  reader.end()
  while (list.left > 0) list.vector(2, 1)
}

/** The body of the Certificate message in a compressed one. Its length is bounded before anything is inflated. */
export function readCompressedCertificate(body: Buffer, algorithms: readonly number[]): Buffer {
  const reader = new Reader(body, 'CompressedCertificate')
  const algorithm = reader.u16()
  const length = reader.u24()
  const compressed = reader.vector(3, 1)
  reader.end()
  if (!algorithms.includes(algorithm)) {
    throw new TlsFault('illegal_parameter', 'the server compressed its certificate in a way that was not offered')
  }
  if (length === 0 || length > MAX_MESSAGE) {
    throw new TlsFault('bad_certificate', `the server's certificate would be of ${length} bytes`)
  }
  const inflated = inflate(algorithm, compressed, length)
  if (inflated?.length !== length) {
    throw new TlsFault('bad_certificate', "the server's compressed certificate cannot be read")
  }
  return inflated
}

/** Reads a CertificateRequest of the handshake. It is answered with an empty list, so what it asks for does not matter. */
export function readCertificateRequest(body: Buffer): void {
  const reader = new Reader(body, 'CertificateRequest')
  if (reader.vector(1).length > 0) {
    throw new TlsFault('illegal_parameter', 'the server asked for a certificate with a context')
  }
  const extensions = readExtensions(reader)
  reader.end()
  const algorithms = extensions.get(extensionTypes.signatureAlgorithms)
  if (algorithms === undefined) {
    throw new TlsFault('missing_extension', 'the server asked for a certificate and named no signature algorithm')
  }
  const schemes = new Reader(algorithms, 'list of signature algorithms')
  schemes.list(2, 2).u16s()
  schemes.end()
  const authorities = extensions.get(extensionTypes.certificateAuthorities)
  if (authorities !== undefined) readList(authorities, 'list of certificate authorities')
}

/** The answer of a client that has no certificate. */
export function emptyCertificate(): Buffer {
  return handshakeMessage(handshakeTypes.certificate, u8(0), vector(3))
}

export interface CertificateVerify {
  readonly scheme: number
  readonly signature: Buffer
}

export function readCertificateVerify(body: Buffer): CertificateVerify {
  const reader = new Reader(body, 'CertificateVerify')
  const verify = { scheme: reader.u16(), signature: reader.vector(2) }
  reader.end()
  return verify
}
