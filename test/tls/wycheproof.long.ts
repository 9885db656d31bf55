/**
 * Project Wycheproof's vectors (github.com/C2SP/wycheproof, Apache-2.0) for what a server proves and agrees on: signatures, keys, AEADs.
 * They come from Go's module proxy at a pinned version, which Go checks, and stay in its cache.
 */
import { spawnSync } from 'node:child_process'
import * as nodeCrypto from 'node:crypto'
import { createDecipheriv, createECDH, createPrivateKey, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js'
import type { TestContext } from 'vitest'
import { describe, expect, test } from 'vitest'
import type { TlsFault } from '../../src/tls/alert.ts'
import { readPublicKey, verifyScheme } from '../../src/tls/certificates/signatures.ts'
import { groups, makeShare, makeX25519 } from '../../src/tls/groups.ts'
import { peer, tempDir } from '../support.ts'

const MODULE = 'github.com/c2sp/wycheproof@v0.0.0-20260902155932-3fa63dd0344a'

interface Vector {
  readonly tcId: number
  readonly flags: readonly string[]
  readonly result: 'valid' | 'invalid' | 'acceptable'
  readonly [field: string]: unknown
}

interface Group {
  readonly tests: readonly Vector[]
  readonly [field: string]: unknown
}

let folder: string | undefined

/** The folder of the vectors. If they cannot be downloaded, the test is skipped: the proxy is no peer, and not every machine has one. */
function vectors(context: TestContext): string {
  if (folder !== undefined) return folder
  const { stdout, status } = spawnSync(peer('go', context), ['mod', 'download', '-json', MODULE], {
    cwd: tempDir(),
    encoding: 'utf8',
  })
  if (status === 0) return (folder = join((JSON.parse(stdout) as { Dir: string }).Dir, 'testvectors_v1'))
  return context.skip('needs the vectors of Wycheproof from Go’s module proxy')
}

function groupsOf(context: TestContext, name: string): readonly Group[] {
  const text = readFileSync(join(vectors(context), `${name}_test.json`), 'utf8')
  return (JSON.parse(text) as { testGroups: Group[] }).testGroups
}

const hex = (value: unknown): Buffer => Buffer.from(value as string, 'hex')

/** Tries every vector, and names those whose outcome is another one. What is acceptable may go either way. */
async function expectOutcomes(
  all: readonly Group[],
  accepts: (vector: Vector, group: Group) => boolean | undefined | Promise<boolean | undefined>,
  least = 20,
): Promise<void> {
  const wrong: string[] = []
  let tried = 0
  for (const group of all) {
    for (const vector of group.tests) {
      const accepted = await accepts(vector, group)
      if (accepted === undefined) continue
      tried++
      if (vector.result !== 'acceptable' && accepted !== (vector.result === 'valid')) {
        wrong.push(`${vector.tcId} is ${vector.result}: ${vector.flags.join(' ')}`)
      }
    }
  }
  expect(wrong).toEqual([])
  expect(tried).toBeGreaterThan(least)
}

async function holds(act: () => boolean | Promise<boolean>): Promise<boolean> {
  try {
    return await act()
  } catch {
    return false
  }
}

describe('signatures of handshakes', () => {
  const files: readonly (readonly [file: string, scheme: number])[] = [
    ['ecdsa_secp256r1_sha256', 0x0403],
    ['ecdsa_secp384r1_sha384', 0x0503],
    ['ecdsa_secp521r1_sha512', 0x0603],
    ['rsa_pss_2048_sha256_mgf1_32', 0x0804],
    ['rsa_pss_3072_sha256_mgf1_32', 0x0804],
    ['rsa_pss_4096_sha256_mgf1_32', 0x0804],
    ['rsa_pss_2048_sha384_mgf1_48', 0x0805],
    ['rsa_pss_4096_sha384_mgf1_48', 0x0805],
    ['rsa_pss_4096_sha512_mgf1_64', 0x0806],
  ]
  test.for(files)('%s', async ([file, scheme], context) => {
    await expectOutcomes(groupsOf(context, file), (vector, { publicKeyDer, publicKey }) => {
      const der = publicKeyDer ?? (publicKey as { publicKeyDer: string }).publicKeyDer
      return holds(() => verifyScheme(scheme, readPublicKey(hex(der)), hex(vector['msg']), hex(vector['sig'])))
    })
  })

  const mlDsa: readonly (readonly [file: string, scheme: number])[] = [
    ['mldsa_44_verify', 0x0904],
    ['mldsa_65_verify', 0x0905],
    ['mldsa_87_verify', 0x0906],
  ]
  test.for(mlDsa)('%s, by this Node if it can and by @noble/post-quantum', async ([file, scheme], context) => {
    const all = groupsOf(context, file)
    for (const own of [true, false]) {
      await expectOutcomes(all, (vector, { publicKeyDer }) => {
        // TLS has no context, and signs messages as they are.
        if (vector['ctx'] !== undefined || vector['msg'] === undefined || publicKeyDer === undefined) return undefined
        return holds(async () => {
          const key = readPublicKey(hex(publicKeyDer))
          const used = own ? key : { ...key, object: undefined }
          return await verifyScheme(scheme, used, hex(vector['msg']), hex(vector['sig']))
        })
      })
    }
  })
})

test.for(['rsa_signature_2048_sha256', 'rsa_signature_3072_sha384', 'rsa_signature_4096_sha512', 'ed25519'])(
  'signatures of certificates: %s',
  async (file, context) => {
    const [, hash = null] = /_(sha\d+)$/.exec(file) ?? []
    await expectOutcomes(groupsOf(context, file), (vector, { publicKeyDer }) =>
      holds(() => {
        const key = createPublicKey({ key: hex(publicKeyDer), format: 'der', type: 'spki' })
        return verify(hash, hex(vector['msg']), key, hex(vector['sig']))
      }),
    )
  },
)

test('X25519: every shared secret, and none of a point of low order', async (context) => {
  for (const { tests } of groupsOf(context, 'x25519')) {
    for (const { tcId, flags, ...vector } of tests) {
      const agree = (): Buffer => makeX25519(hex(vector['private'])).agree(hex(vector['public']))
      if (flags.includes('ZeroSharedSecret')) expect(alertOf(agree), `${tcId}`).toBe('illegal_parameter')
      else expect(agree().toString('hex'), `${tcId}`).toBe(vector['shared'])
    }
  }
})

test.for([
  ['secp256r1', 'prime256v1'],
  ['secp384r1', 'secp384r1'],
  ['secp521r1', 'secp521r1'],
] as const)(
  'ECDH with %s: secrets, and no point that is none or that is compressed',
  async ([name, curve], context) => {
    const share = (await makeShare(groups[name], undefined))!
    let refused = 0
    for (const { tests } of groupsOf(context, `ecdh_${name}_ecpoint`)) {
      for (const { tcId, result, ...vector } of tests) {
        const point = hex(vector['public'])
        const alert = alertOf(() => share.agree(point))
        if (result !== 'valid' || point[0] !== 4) expect(alert, `${tcId}`).toBe('illegal_parameter')
        if (alert !== undefined) refused++
        // OpenSSL takes a third of a second to read a key of one of the longer curves.
        else if (name === 'secp256r1' || tcId % 10 === 0) {
          const ecdh = createECDH(curve)
          ecdh.setPrivateKey((vector['private'] as string).replace(/^(?:00)+/, ''), 'hex')
          expect(ecdh.computeSecret(point).toString('hex'), `${tcId}`).toBe(vector['shared'])
        }
      }
    }
    expect(refused).toBeGreaterThan(3)
  },
)

interface NodeKem {
  readonly decapsulate?: (key: nodeCrypto.KeyObject, ciphertext: Buffer) => Buffer
}

/** PKCS #8 of a seed of ML-KEM-768 (RFC 9935), up to its 64 bytes. */
const seedHeader = Buffer.from('3054020100300b060960864801650304040204428040', 'hex')

test('ML-KEM-768: keys of seeds and secrets, by @noble/post-quantum and by this Node if it can', async (context) => {
  const { decapsulate } = nodeCrypto as NodeKem
  let tried = 0
  for (const { type, tests } of groupsOf(context, 'mlkem_768')) {
    if (type !== 'MLKEMTest') continue
    for (const { tcId, result, ...vector } of tests) {
      const [seed, ciphertext] = [hex(vector['seed']), hex(vector['c'])]
      if (seed.length !== 64 || ciphertext.length !== 1088 || result !== 'valid') continue
      tried++
      const { publicKey, secretKey } = ml_kem768.keygen(seed)
      if (vector['ek'] !== undefined) expect(Buffer.from(publicKey).toString('hex'), `${tcId}`).toBe(vector['ek'])
      const secret = Buffer.from(ml_kem768.decapsulate(ciphertext, secretKey))
      expect(secret.toString('hex'), `${tcId}`).toBe(vector['K'])
      if (decapsulate === undefined) continue
      const key = createPrivateKey({ key: Buffer.concat([seedHeader, seed]), format: 'der', type: 'pkcs8' })
      expect(decapsulate(key, ciphertext).toString('hex'), `${tcId}`).toBe(vector['K'])
    }
  }
  expect(tried).toBeGreaterThan(20)
})

test.for([
  ['aes_gcm', { 128: 'aes-128-gcm', 256: 'aes-256-gcm' }],
  ['chacha20_poly1305', { 256: 'chacha20-poly1305' }],
] as const)('%s, with nonces and tags as records have them', async ([file, ciphers], context) => {
  const wanted = groupsOf(context, file).filter(
    ({ ivSize, tagSize, keySize }) => ivSize === 96 && tagSize === 128 && (keySize as number) in ciphers,
  )
  await expectOutcomes(wanted, (vector, { keySize }) =>
    holds(() => {
      const name = (ciphers as Readonly<Record<number, string>>)[keySize as number] as nodeCrypto.CipherGCMTypes
      const decipher = createDecipheriv(name, hex(vector['key']), hex(vector['iv']), { authTagLength: 16 })
      decipher.setAAD(hex(vector['aad']))
      decipher.setAuthTag(hex(vector['tag']))
      const message = decipher.update(hex(vector['ct']))
      decipher.final()
      return message.equals(hex(vector['msg']))
    }),
  )
})

function alertOf(act: () => unknown): string | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    return (error as TlsFault).alert
  }
}
