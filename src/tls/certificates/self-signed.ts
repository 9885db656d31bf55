/** A certificate for localhost that signs itself (RFC 5280, section 4.1), for one day: the listener of `postern hello capture` and the demo have one. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { derElement } from '../../crypto/der-element.ts'

const DAY = 86_400_000

const tags = { boolean: 0x01, integer: 0x02, bitString: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c, time: 0x17 } as const
const SEQUENCE = 0x30
const SET = 0x31
const VERSION = 0xa0
const EXTENSIONS = 0xa3
const DNS_NAME = 0x82

const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))
const commonName = oid('550403')
const subjectAltName = oid('551d11')

/** The certificate and its key, in PEM. */
export interface SelfSigned {
  readonly cert: string
  readonly key: string
}

export function selfSigned(now: number = Date.now()): SelfSigned {
  const { publicKey, privateKey: key } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'der', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  })
  const name = sequence(
    derElement(SET, sequence(commonName, derElement(tags.utf8, Buffer.from('postern hello capture')))),
  )
  const names = sequence(derElement(DNS_NAME, Buffer.from('localhost')))
  const tbs = sequence(
    derElement(VERSION, derElement(tags.integer, Buffer.of(2))),
    // The first byte makes the number positive.
    derElement(tags.integer, Buffer.of(1), randomBytes(15)),
    ecdsaWithSha256,
    name,
    sequence(time(now - DAY), time(now + DAY)),
    name,
    publicKey,
    derElement(EXTENSIONS, sequence(sequence(subjectAltName, derElement(tags.octets, names)))),
  )
  const signature = derElement(tags.bitString, Buffer.of(0), sign('sha256', tbs, key))
  const lines = sequence(tbs, ecdsaWithSha256, signature)
    .toString('base64')
    .match(/.{1,64}/g)!
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key,
  }
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return derElement(SEQUENCE, ...parts)
}

function oid(hex: string): Buffer {
  return derElement(tags.oid, Buffer.from(hex, 'hex'))
}

/** UTCTime, which is for years before 2050: YYMMDDHHMMSSZ. */
function time(at: number): Buffer {
  const text = new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '')
  return derElement(tags.time, Buffer.from(text.slice(2)))
}
