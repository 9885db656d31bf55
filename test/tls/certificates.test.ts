/** Chains, names, constraints and pins: what proves who a server is, and what does not. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { chainHash } from '../../src/tls/certificates/pin.ts'
import { parseCertificate } from '../../src/tls/certificates/certificate.ts'
import { defaultRoots, readPem, RootStore } from '../../src/tls/certificates/roots.ts'
import type { Verification } from '../../src/tls/certificates/verify.ts'
import { verifyCertificates } from '../../src/tls/certificates/verify.ts'
import { failureOf, tempDir } from '../support.ts'
import type { CertificateOptions, Issued } from './authority.ts'
import { clientAuth, directoryTree, dnsTree, ipTree, issue, serverAuth } from './authority.ts'

const host = 'bridge.example'
const root = issue({ subject: 'root', ca: true, keyUsage: [5, 6] })
const now = Date.now()
const day = 86_400_000

/** A chain below the root, its lowest certificate last, as the server sends it: the lowest first and without the root. */
function chain(...links: readonly CertificateOptions[]): Issued[] {
  const issued: Issued[] = []
  for (const link of links) issued.unshift(issue(link, issued[0] ?? root))
  return issued
}

function verify(chain: readonly Issued[], options: Partial<Verification> = {}): Promise<unknown> {
  return verifyCertificates(
    chain.map(({ der }) => der),
    { name: host, pin: undefined, roots: new RootStore([root.der]), ...options },
  )
}

const leaf: CertificateOptions = { subject: 'leaf', names: [host] }
const ca: CertificateOptions = { subject: 'middle', ca: true, keyUsage: [5] }

describe('a chain is good', () => {
  const table: [string, CertificateOptions[]][] = [
    ['with the server’s certificate directly below the root', [leaf]],
    ['with one between', [ca, leaf]],
    [
      'with as many below as the path length lets',
      [{ ...ca, pathLength: 1 }, { ...ca, subject: 'lower', pathLength: 0 }, leaf],
    ],
    [
      'with a purpose that servers have',
      [
        { ...ca, extendedKeyUsage: [serverAuth] },
        { ...leaf, extendedKeyUsage: [clientAuth, serverAuth] },
      ],
    ],
    [
      'with a name that the CA may vouch for',
      [
        { ...ca, permitted: [dnsTree('example')] },
        { ...leaf, subject: '' },
      ],
    ],
    [
      'with a name that only others are excluded from',
      [{ ...ca, excluded: [dnsTree('other.example'), ipTree([10, 0, 0, 0, 255, 0, 0, 0])] }, leaf],
    ],
    ['with a subject that the CA may vouch for', [{ ...ca, permitted: [directoryTree('leaf')] }, leaf]],
    [
      'with RSA',
      [
        { ...ca, key: 'rsa2048' },
        { ...leaf, key: 'rsa2048' },
      ],
    ],
  ]
  test.each(table)('%s', async (_title, links) => {
    await expect(verify(chain(...links))).resolves.toMatchObject({ notAfter: expect.any(Number) as number })
  })

  test('with its certificates out of order, and others among them', async () => {
    const [own, lower, upper] = chain(ca, { ...ca, subject: 'lower' }, leaf)
    await verify([own!, upper!, issue({ ...ca, subject: 'stranger' }), lower!])
  })

  test('if the server’s own certificate is trusted', async () => {
    const own = issue(leaf)
    await verify([own], { roots: new RootStore([own.der]) })
  })

  test('for a name that a wildcard stands for', async () => {
    await verify(chain({ ...leaf, names: [`*.${host}`] }), { name: `www.${host}` })
  })

  test('for an IP address that it names', async () => {
    await verify(chain({ subject: 'leaf', addresses: ['192.0.2.7'] }), { name: '192.0.2.7' })
  })
})

describe('a chain is refused', () => {
  const table: [string, string, CertificateOptions[]][] = [
    ['a certificate that has expired', 'has expired', [{ ...leaf, notAfter: new Date(now - day) }]],
    ['a certificate of tomorrow', 'is not valid yet', [{ ...leaf, notBefore: new Date(now + day) }]],
    ['a CA that has expired', 'has expired', [{ ...ca, notAfter: new Date(now - day) }, leaf]],
    ['another name', 'other names', [{ ...leaf, names: ['other.example'] }]],
    ['a wildcard over two labels', 'other names', [{ ...leaf, names: ['*'] }]],
    ['a common name in place of a name', 'other names', [{ subject: host }]],
    ['an issuer that is no CA', 'is not one of a CA', [leaf, { ...leaf, subject: 'lower' }]],
    ['an issuer that says so itself', 'is not one of a CA', [{ ...ca, ca: false }, leaf]],
    ['a CA that may not sign certificates', 'is not one of a CA', [{ ...ca, keyUsage: [0] }, leaf]],
    ['a path that is too long', 'above so many', [{ ...ca, pathLength: 0 }, { ...ca, subject: 'lower' }, leaf]],
    ['a certificate for clients', 'is not for servers', [{ ...leaf, extendedKeyUsage: [clientAuth] }]],
    ['a CA for clients', 'is not for servers', [{ ...ca, extendedKeyUsage: [clientAuth] }, leaf]],
    ['a key that is not for signatures', 'is not for signatures', [{ ...leaf, keyUsage: [2] }]],
    ['a critical extension that is unknown', '1.2.3.4', [{ ...leaf, critical: '1.2.3.4' }]],
    ['an RSA key of 1024 bits', '2048', [{ ...leaf, key: 'rsa1024' }]],
    ['a signature with SHA-1', 'no chain', [{ ...leaf, hash: 'sha1' }]],
    [
      'a name outside of what the CA may vouch for',
      'may not vouch',
      [{ ...ca, permitted: [dnsTree('other.example')] }, leaf],
    ],
    ['a name that the CA may not vouch for', 'may not vouch', [{ ...ca, excluded: [dnsTree('example')] }, leaf]],
    [
      'a wildcard that covers an excluded name',
      'may not vouch',
      [
        { ...ca, excluded: [dnsTree('bridge.example')] },
        { ...leaf, names: ['*.example'] },
      ],
    ],
    [
      'a subject that the CA may not vouch for',
      'may not vouch',
      [{ ...ca, permitted: [directoryTree('other')] }, leaf],
    ],
    [
      'an address that the CA may not vouch for',
      'may not vouch',
      [
        { ...ca, permitted: [ipTree([10, 0, 0, 0, 255, 0, 0, 0])] },
        { ...leaf, addresses: ['192.0.2.7'] },
      ],
    ],
  ]
  test.each(table)('for %s', async (_title, reason, links) => {
    const error = await failureOf(verify(chain(...links)))
    expect(error).toMatchObject({
      code: 'PT_CERTIFICATE',
      stage: 'certificate',
      message: expect.stringContaining(reason) as string,
    })
  })

  test('for a root that is not trusted, for a missing link, and for a forged signature', async () => {
    expect(
      (await failureOf(verify(chain(leaf), { roots: new RootStore([issue({ subject: 'root', ca: true }).der]) })))
        .message,
    ).toContain('no chain')
    const [own] = chain(ca, leaf)
    expect((await failureOf(verify([own!]))).message).toContain('no chain')
    const forged = { ...own!, der: Buffer.from(own!.der) }
    forged.der[forged.der.length - 1]! ^= 1
    expect((await failureOf(verify([forged, ...chain(ca)]))).message).toContain('no chain')
  })

  test('for certificates that issue each other in a circle, in a bounded time', async () => {
    const twins = Array.from({ length: 12 }, () => issue({ ...ca, subject: 'twin' }))
    const circle = twins.map((one, at) => issue({ ...ca, subject: 'twin' }, twins[(at + 1) % 12]))
    const own = issue(leaf, twins[0])
    expect((await failureOf(verify([own, ...circle, ...twins]))).message).toContain('no chain')
  })

  test('for bytes that are no certificate: every prefix, a surplus, and every changed byte of the head', async () => {
    const [own] = chain(leaf)
    const { der } = own!
    for (let length = 0; length < der.length; length++)
      expect(() => parseCertificate(der.subarray(0, length))).toThrow()
    expect(() => parseCertificate(Buffer.concat([der, Buffer.of(0)]))).toThrow('malformed DER')
    for (let at = 0; at < der.length; at++) {
      const changed = Buffer.from(der)
      changed[at]! ^= 0x55
      await failureOf(verify([{ ...own!, der: changed }]))
    }
  })
})

describe('a pin', () => {
  test('is SHA-256 over the hashes of the whole chain', () => {
    // SHA-256 of 'a', then SHA-256(that | SHA-256('b')), computed with sha256sum.
    expect(chainHash([Buffer.from('a')]).toString('hex')).toBe(
      'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',
    )
    expect(chainHash([Buffer.from('a'), Buffer.from('b')]).toString('hex')).toBe(
      'e5a01fee14e0ed5c48714f22180f25ad8365b53f9779f79dc4a3d7e93963f94a',
    )
  })

  test('counts alone, with whatever name, date and root; and with them if roots are given', async () => {
    const old = chain({ ...leaf, names: ['x.example'], notAfter: new Date(now - day) })
    const pin = chainHash(old.map(({ der }) => der))
    await verify(old, { pin, roots: false })
    expect((await failureOf(verify(old, { pin }))).message).toContain('has expired')
    expect((await failureOf(verify(chain(leaf), { pin, roots: false }))).message).toContain('pin')
  })
})

describe('roots', () => {
  const before = { file: process.env['SSL_CERT_FILE'], dir: process.env['SSL_CERT_DIR'] }
  afterEach(() => {
    for (const [name, value] of [
      ['SSL_CERT_FILE', before.file],
      ['SSL_CERT_DIR', before.dir],
    ] as const) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })

  test('all that Node brings can be read', () => {
    for (const pem of rootCertificates) {
      const [der] = readPem(pem)
      const { subject } = parseCertificate(der!)
      expect(new RootStore([der!]).withSubject(subject)).toHaveLength(1)
    }
  })

  test('SSL_CERT_FILE and SSL_CERT_DIR take the place of the system’s', async () => {
    const dir = tempDir()
    const other = issue({ subject: 'other root', ca: true })
    mkdirSync(join(dir, 'certs'))
    writeFileSync(join(dir, 'roots.pem'), root.pem)
    writeFileSync(join(dir, 'certs', 'other.crt'), other.pem)
    process.env['SSL_CERT_FILE'] = join(dir, 'roots.pem')
    await verify(chain(leaf), { roots: undefined })
    expect((await defaultRoots()).withSubject(other.name)).toEqual([])
    process.env['SSL_CERT_DIR'] = join(dir, 'certs')
    await verify([issue(leaf, other)], { roots: undefined })
    process.env['SSL_CERT_FILE'] = join(dir, 'missing.pem')
    expect(await failureOf(verify(chain(leaf), { roots: undefined }))).toMatchObject({
      code: 'PT_CERTIFICATE',
      stage: 'local',
    })
  })

  test('without them a certificate of our own is not trusted', async () => {
    delete process.env['SSL_CERT_FILE']
    delete process.env['SSL_CERT_DIR']
    expect((await failureOf(verify(chain(leaf), { roots: undefined }))).message).toContain('no chain')
  })
})
