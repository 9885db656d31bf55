/** Certificates for tests, of every kind that a CA may give or never should: written in DER and signed by node:crypto. */
import type { KeyObject } from 'node:crypto'
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export interface CertificateOptions {
  /** The common name; empty for no subject. */
  readonly subject?: string
  readonly names?: readonly string[]
  readonly addresses?: readonly string[]
  readonly ca?: boolean
  readonly pathLength?: number
  readonly keyUsage?: readonly number[]
  /** OIDs. */
  readonly extendedKeyUsage?: readonly string[]
  readonly permitted?: readonly Buffer[]
  readonly excluded?: readonly Buffer[]
  readonly delegates?: boolean
  /** The OID of an extension that is unknown, and critical. */
  readonly critical?: string
  readonly notBefore?: Date
  readonly notAfter?: Date
  readonly key?: KeyKind
  readonly hash?: 'sha256' | 'sha1'
}

type KeyKind = 'p256' | 'p384' | 'p521' | 'rsa2048' | 'rsa1024'

export interface Issued {
  readonly der: Buffer
  readonly pem: string
  readonly key: KeyObject
  readonly keyPem: string
  readonly name: Buffer
  readonly spki: Buffer
}

/** A certificate by `issuer`, or by itself. */
export function issue(options: CertificateOptions, issuer?: Issued): Issued {
  const { publicKey, privateKey } = keyPair(options.key ?? 'p256')
  const spki = publicKey.export({ format: 'der', type: 'spki' })
  const name = nameOf(options.subject ?? '')
  const signer = issuer?.key ?? privateKey
  const algorithm = algorithmOf(signer, options.hash ?? 'sha256')
  const validity = sequence(
    time(options.notBefore ?? new Date(Date.now() - 3_600_000)),
    time(options.notAfter ?? new Date(Date.now() + 86_400_000)),
  )
  const tbs = sequence(
    der(0xa0, integer(2)),
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    algorithm,
    issuer?.name ?? name,
    validity,
    name,
    spki,
    der(0xa3, sequence(...extensionsOf(options))),
  )
  const signature = sign(options.hash ?? 'sha256', tbs, signer)
  const bytes = sequence(tbs, algorithm, der(0x03, Buffer.of(0), signature))
  return {
    der: bytes,
    pem: pemOf(bytes),
    key: privateKey,
    keyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    name,
    spki,
  }
}

/** A root, and a certificate of it for `names`. */
export function authority(
  names: readonly string[],
  options: CertificateOptions = {},
): { readonly root: Issued; readonly leaf: Issued } {
  const root = issue({ subject: 'Test root', ca: true, keyUsage: [5, 6] })
  return { root, leaf: issue({ subject: 'leaf', names, ...options }, root) }
}

export const serverAuth = '1.3.6.1.5.5.7.3.1'
export const clientAuth = '1.3.6.1.5.5.7.3.2'

/** Subtrees of name constraints. */
export function dnsTree(name: string): Buffer {
  return sequence(der(0x82, Buffer.from(name)))
}

export function ipTree(addressAndMask: readonly number[]): Buffer {
  return sequence(der(0x87, Buffer.from(addressAndMask)))
}

export function directoryTree(commonName: string): Buffer {
  return sequence(der(0xa4, nameOf(commonName)))
}

function extensionsOf(options: CertificateOptions): Buffer[] {
  const { names = [], addresses = [], ca, pathLength, keyUsage, extendedKeyUsage, permitted, excluded } = options
  const list: Buffer[] = []
  const add = (id: string, value: Buffer, critical = false): void => {
    list.push(sequence(oid(id), ...(critical ? [der(0x01, Buffer.of(0xff))] : []), der(0x04, value)))
  }
  if (names.length + addresses.length > 0) {
    const general = [
      ...names.map((name) => der(0x82, Buffer.from(name))),
      ...addresses.map((address) => der(0x87, Buffer.from(address.split('.').map(Number)))),
    ]
    add('2.5.29.17', sequence(...general))
  }
  if (ca !== undefined) {
    const length = pathLength === undefined ? [] : [integer(pathLength)]
    add('2.5.29.19', sequence(...(ca ? [der(0x01, Buffer.of(0xff))] : []), ...length), true)
  }
  if (keyUsage !== undefined) {
    const byte = keyUsage.reduce((sum, bit) => sum | (0x80 >> bit), 0)
    add('2.5.29.15', der(0x03, Buffer.of(0, byte)), true)
  }
  if (extendedKeyUsage !== undefined) add('2.5.29.37', sequence(...extendedKeyUsage.map(oid)))
  if (permitted !== undefined || excluded !== undefined) {
    const trees = [
      ...(permitted === undefined ? [] : [der(0xa0, ...permitted)]),
      ...(excluded === undefined ? [] : [der(0xa1, ...excluded)]),
    ]
    add('2.5.29.30', sequence(...trees), true)
  }
  if (options.delegates === true) add('1.3.6.1.4.1.44363.44', der(0x05))
  if (options.critical !== undefined) add(options.critical, der(0x05), true)
  return list
}

function keyPair(kind: KeyKind): { publicKey: KeyObject; privateKey: KeyObject } {
  if (kind === 'rsa2048' || kind === 'rsa1024') {
    return generateKeyPairSync('rsa', { modulusLength: kind === 'rsa2048' ? 2048 : 1024 })
  }
  const namedCurve = { p256: 'P-256', p384: 'P-384', p521: 'P-521' }[kind]
  return generateKeyPairSync('ec', { namedCurve })
}

function algorithmOf(key: KeyObject, hash: 'sha256' | 'sha1'): Buffer {
  if (key.asymmetricKeyType === 'rsa') {
    return sequence(oid(hash === 'sha1' ? '1.2.840.113549.1.1.5' : '1.2.840.113549.1.1.11'), der(0x05))
  }
  return sequence(oid(hash === 'sha1' ? '1.2.840.10045.4.1' : '1.2.840.10045.4.3.2'))
}

function nameOf(commonName: string): Buffer {
  if (commonName === '') return sequence()
  return sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(commonName)))))
}

function pemOf(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts)
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts)
  const { length } = value
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...head]), value])
}

function integer(value: number): Buffer {
  return der(0x02, Buffer.of(value))
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...others] = text.split('.').map(Number)
  const parts = [first * 40 + second, ...others].flatMap((part) => {
    const digits = [part & 0x7f]
    for (let rest = Math.floor(part / 128); rest > 0; rest = Math.floor(rest / 128))
      digits.unshift((rest & 0x7f) | 0x80)
    return digits
  })
  return der(0x06, Buffer.from(parts))
}

function time(date: Date): Buffer {
  const text = date.toISOString().replace(/[-:T]|\.\d+/g, '')
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text))
}
