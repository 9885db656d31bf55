/** ML-KEM-768 (FIPS 203): by node:crypto, which has it from Node 24.7 on, or else by @noble/post-quantum. */
import type { KeyObject } from 'node:crypto'
import * as nodeCrypto from 'node:crypto'

const PUBLIC_KEY_LENGTH = 1184
export const kemCiphertextLength = 1088

export interface KemKeys {
  readonly publicKey: Buffer
  /** The secret that the server encapsulated; another one if `ciphertext` was altered. */
  decapsulate(ciphertext: Buffer): Buffer
}

/** The types of Node 20 know nothing of it. */
interface NodeKem {
  readonly decapsulate?: (key: KeyObject, ciphertext: Buffer) => Buffer
  readonly generateKeyPairSync: (
    type: 'ml-kem-768',
    options: typeof encodings,
  ) => {
    readonly publicKey: Buffer
    readonly privateKey: Buffer
  }
}

/** The keys are written by the job that draws them: an export after that may hang for ever (docs/decisions/0089-keys-that-hang.md). */
const encodings = {
  publicKeyEncoding: { format: 'der', type: 'spki' },
  privateKeyEncoding: { format: 'der', type: 'pkcs8' },
} as const

export async function makeKemKeys(): Promise<KemKeys> {
  return nodeKemKeys() ?? (await nobleKemKeys())
}

export function nodeKemKeys(): KemKeys | undefined {
  const { decapsulate, generateKeyPairSync } = nodeCrypto as unknown as NodeKem
  if (decapsulate === undefined) return undefined
  const { publicKey, privateKey: der } = generateKeyPairSync('ml-kem-768', encodings)
  const privateKey = nodeCrypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  // The raw key is the end of its SubjectPublicKeyInfo.
  const publicBytes = publicKey.subarray(-PUBLIC_KEY_LENGTH)
  return { publicKey: publicBytes, decapsulate: (ciphertext) => decapsulate(privateKey, ciphertext) }
}

export async function nobleKemKeys(): Promise<KemKeys> {
  // Nothing of it is loaded if node:crypto can do the same.
  const { ml_kem768: kem } = await import('@noble/post-quantum/ml-kem.js')
  const { publicKey, secretKey } = kem.keygen()
  return {
    publicKey: Buffer.from(publicKey),
    decapsulate: (ciphertext) => Buffer.from(kem.decapsulate(ciphertext, secretKey)),
  }
}
