/**
 * A certificate (RFC 5280, section 4.1): node:crypto's own object for keys and names, and what it does not tell, read from the DER.
 *
 *     Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }
 *     tbs ::= SEQUENCE { [0] version, serial, algorithm, issuer, validity, subject, spki, …, [3] extensions }
 */
import { X509Certificate } from 'node:crypto'
import { DerReader, tags } from './der.ts'
import type { NameConstraints } from './name-constraints.ts'
import { readNameConstraints } from './name-constraints.ts'
import type { PublicKey } from './signatures.ts'
import { readPublicKey } from './signatures.ts'

/** Bits of keyUsage (RFC 5280, section 4.2.1.3). */
export const keyUsageBits = { digitalSignature: 0, keyCertSign: 5 } as const

export interface Certificate {
  readonly der: Buffer
  readonly tbs: Buffer
  /** The OID of the algorithm it is signed with. */
  readonly signatureAlgorithm: string
  readonly signature: Buffer
  /** Names as they are in the DER, which compare byte by byte. */
  readonly issuer: Buffer
  readonly subject: Buffer
  /** In ms since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  /** SubjectPublicKeyInfo. */
  readonly spki: Buffer
  readonly extensions: CertificateExtensions
  /** It is made when it is first asked for, as is the key. */
  readonly x509: X509Certificate
  /** Throws if it cannot be read. */
  readonly key: PublicKey
}

interface CertificateExtensions {
  readonly ca: boolean
  readonly pathLength: number | undefined
  /** Undefined if it may be used for everything. */
  readonly keyUsage: ReadonlySet<number> | undefined
  /** OIDs; undefined if it may be used for everything. */
  readonly extendedKeyUsage: ReadonlySet<string> | undefined
  /** GeneralNames of subjectAltName: tag and value. */
  readonly altNames: readonly GeneralName[]
  readonly nameConstraints: NameConstraints | undefined
  /** True if the server may sign delegated credentials with it (RFC 9345, section 4.2). */
  readonly delegates: boolean
  /** The first critical extension that is not understood. */
  readonly unknownCritical: string | undefined
}

export interface GeneralName {
  /** Of the choice: 2 is a DNS name, 7 an IP address. */
  readonly type: number
  readonly value: Buffer
}

const oids = {
  subjectAltName: '2.5.29.17',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
  delegationUsage: '1.3.6.1.4.1.44363.44',
}

/** Policies say how well a CA looked at a subject, which browsers do not need to know of a domain. */
const ignorable = new Set([
  oids.certificatePolicies,
  oids.policyMappings,
  oids.policyConstraints,
  oids.inhibitAnyPolicy,
])

/** Throws an Error if `der` is no certificate. */
export function parseCertificate(der: Buffer): Certificate {
  const outer = new DerReader(der)
  const certificate = outer.inside()
  outer.end()
  const tbs = certificate.next(tags.sequence)
  const signatureAlgorithm = certificate.next(tags.sequence)
  const signature = bits(certificate.next(tags.bitString).value)
  certificate.end()
  const fields = readTbs(tbs.value)
  // Both have to say the same, or what is signed is not what was read (RFC 5280, section 4.1.1.2).
  if (!fields.algorithm.equals(signatureAlgorithm.whole)) throw new Error('two signature algorithms')
  const { algorithm: _algorithm, ...rest } = fields
  return new LazyCertificate({
    der,
    tbs: tbs.whole,
    signature,
    signatureAlgorithm: new DerReader(signatureAlgorithm.value).oid(),
    ...rest,
  })
}

/** The subject of a certificate, for a store that reads the rest only of those that it needs. */
export function subjectOf(der: Buffer): Buffer {
  return readNames(new DerReader(der).inside().inside()).subject
}

class LazyCertificate implements Certificate {
  declare readonly der: Buffer
  declare readonly tbs: Buffer
  declare readonly signatureAlgorithm: string
  declare readonly signature: Buffer
  declare readonly issuer: Buffer
  declare readonly subject: Buffer
  declare readonly notBefore: number
  declare readonly notAfter: number
  declare readonly spki: Buffer
  declare readonly extensions: CertificateExtensions
  #x509: X509Certificate | undefined
  #key: PublicKey | undefined

  constructor(fields: Omit<Certificate, 'x509' | 'key'>) {
    Object.assign(this, fields)
  }

  get x509(): X509Certificate {
    return (this.#x509 ??= new X509Certificate(this.der))
  }

  get key(): PublicKey {
    return (this.#key ??= readPublicKey(this.spki, this.x509))
  }
}

const VERSION = 0xa0
const ISSUER_ID = 0x81
const SUBJECT_ID = 0x82
const EXTENSIONS = 0xa3

type Tbs = Pick<Certificate, 'issuer' | 'subject' | 'notBefore' | 'notAfter' | 'spki' | 'extensions'> & {
  readonly algorithm: Buffer
}

function readTbs(bytes: Buffer): Tbs {
  const tbs = new DerReader(bytes)
  const names = readNames(tbs)
  const spki = tbs.next(tags.sequence).whole
  tbs.optional(ISSUER_ID)
  tbs.optional(SUBJECT_ID)
  const extensions = tbs.optional(EXTENSIONS)?.value
  tbs.end()
  return { ...names, spki, extensions: readExtensions(extensions) }
}

/** From the beginning of the tbs up to the subject. */
function readNames(tbs: DerReader): Pick<Tbs, 'algorithm' | 'issuer' | 'subject' | 'notBefore' | 'notAfter'> {
  tbs.optional(VERSION)
  tbs.next(tags.integer)
  const algorithm = tbs.next(tags.sequence).whole
  const issuer = tbs.next(tags.sequence).whole
  const validity = tbs.inside()
  const times = { notBefore: validity.time(), notAfter: validity.time() }
  return { algorithm, issuer, subject: tbs.next(tags.sequence).whole, ...times }
}

function readExtensions(bytes: Buffer | undefined): CertificateExtensions {
  const found: { -readonly [Key in keyof CertificateExtensions]: CertificateExtensions[Key] } = {
    ca: false,
    pathLength: undefined,
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    altNames: [],
    nameConstraints: undefined,
    delegates: false,
    unknownCritical: undefined,
  }
  const seen = new Set<string>()
  const list = bytes === undefined ? new DerReader(Buffer.alloc(0)) : new DerReader(bytes).inside()
  while (list.left > 0) {
    const one = list.inside()
    const oid = one.oid()
    const critical = one.tag === tags.boolean && one.boolean()
    const value = new DerReader(one.next(tags.octetString).value)
    one.end()
    if (seen.has(oid)) throw new Error('an extension twice')
    seen.add(oid)
    if (oid === oids.subjectAltName) found.altNames = readGeneralNames(value.inside())
    else if (oid === oids.keyUsage) found.keyUsage = bitsSet(value.next(tags.bitString).value)
    else if (oid === oids.basicConstraints) Object.assign(found, readBasicConstraints(value.inside()))
    else if (oid === oids.extendedKeyUsage) found.extendedKeyUsage = readOids(value.inside())
    else if (oid === oids.nameConstraints) found.nameConstraints = readNameConstraints(value.inside())
    else if (oid === oids.delegationUsage) found.delegates = true
    else if (critical && !ignorable.has(oid)) found.unknownCritical ??= oid
  }
  return found
}

function readBasicConstraints(value: DerReader): Pick<CertificateExtensions, 'ca' | 'pathLength'> {
  const ca = value.tag === tags.boolean && value.boolean()
  const pathLength = value.tag === tags.integer ? value.integer() : undefined
  value.end()
  return { ca, pathLength }
}

function readOids(value: DerReader): Set<string> {
  const found = new Set<string>()
  while (value.left > 0) found.add(value.oid())
  return found
}

function readGeneralNames(value: DerReader): GeneralName[] {
  const names: GeneralName[] = []
  while (value.left > 0) {
    const { tag, value: bytes } = value.next()
    names.push({ type: tag & 0x1f, value: bytes })
  }
  return names
}

/** The content of a bit string of whole bytes. */
function bits(value: Buffer): Buffer {
  if (value[0] !== 0) throw new Error('malformed DER')
  return value.subarray(1)
}

/** The numbers of the bits that are set; the first bit is the highest one. */
function bitsSet(value: Buffer): Set<number> {
  const set = new Set<number>()
  for (const [at, byte] of value.subarray(1).entries()) {
    for (let bit = 0; bit < 8; bit++) if ((byte & (0x80 >> bit)) !== 0) set.add(at * 8 + bit)
  }
  return set
}
