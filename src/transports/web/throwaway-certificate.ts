/**
 * A certificate of this process for itself, for a rehearsal: it has no name, is valid for no time, and is recognised by a pin alone.
 *
 *     SEQUENCE { version 3, serial 1, ECDSA with SHA-256, no issuer, validity, no subject, key }, the algorithm again, signature
 */
import { generateKeyPairSync, sign } from 'node:crypto'
import { derElement } from '../../crypto/der-element.ts'

export interface ThrowawayCertificate {
  /** In DER. */
  readonly der: Buffer
  /** In PEM, as the key is. */
  readonly cert: Buffer
  readonly key: Buffer
}

const ecdsaWithSha256 = Buffer.from('300a06082a8648ce3d040302', 'hex')
/** The version, and the serial number. */
const begin = Buffer.from('a003020102020101', 'hex')
const noName = Buffer.from('3000', 'hex')
const noTime = sequence(Buffer.from('170d3730303130313030303030305a'.repeat(2), 'hex'))

export function throwawayCertificate(): ThrowawayCertificate {
  const { publicKey, privateKey: key } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  })
  const body = sequence(begin, ecdsaWithSha256, noName, noTime, noName, publicKey)
  const signature = derElement(0x03, Buffer.of(0), sign('sha256', body, key))
  const der = sequence(body, ecdsaWithSha256, signature)
  const base64 = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  const cert = Buffer.from(`-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`)
  return { der, cert, key: Buffer.from(key) }
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return derElement(0x30, ...parts)
}
