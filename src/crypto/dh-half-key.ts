/**
 * Exponents for UniformDH, by whichever interface of node:crypto takes 0.2 ms for a secret and not 1 ms.
 *
 *     getDiffieHellman   Node 20, 24 and later; Node 22 and 23 test the peer's key with a full exponent before each use
 *     KeyObject          Node 22 and 23; Node 20 tests here
 *
 * The second takes a peer's key as SubjectPublicKeyInfo (RFC 5280, section 4.1), whose algorithm is that of a key of ours:
 *
 *     30 … SEQUENCE | 30 … algorithm, with p and g | 03 … BIT STRING, 00 | 02 … INTEGER, the key
 */
import type { KeyObject } from 'node:crypto'
import { createPublicKey, diffieHellman, generateKeyPairSync, getDiffieHellman } from 'node:crypto'
import { derElement } from './der-element.ts'

/** The part of node:crypto's DiffieHellman that is used here: an exponent h that stays inside. */
export interface HalfKey {
  /** g^h mod p, with or without zeros in front. */
  getPublicKey(): Buffer
  /** peer^h mod p. */
  computeSecret(peer: Uint8Array): Buffer
}

const group = 'modp5'
/** Node's types leave this out. */
const makeKeyPair = generateKeyPairSync as unknown as (type: 'dh', options: KeyPairOptions) => KeyPair

interface KeyPairOptions {
  readonly group: string
  readonly publicKeyEncoding: typeof spki
}

interface KeyPair {
  readonly publicKey: Buffer
  readonly privateKey: KeyObject
}

/** The public key is written by the job that draws it: an export after that may hang for ever (docs/decisions/0089-keys-that-hang.md). */
const spki = { format: 'der', type: 'spki' } as const

const [sequence, bitString, integer] = [0x30, 0x03, 0x02]

let testsKeys: boolean | undefined

/** A fresh one. */
export function freshHalf(): HalfKey {
  testsKeys ??= refusesNonSquares()
  return testsKeys ? keyObjectHalf() : groupHalf()
}

export function groupHalf(): HalfKey {
  // getDiffieHellman, never createDiffieHellman(prime): newer versions of Node test such a prime on use, for 0.1 s.
  const half = getDiffieHellman(group)
  half.generateKeys()
  return half
}

/** Nothing but the test with a full exponent can tell that p - 2 is no square. */
function refusesNonSquares(): boolean {
  const half = getDiffieHellman(group)
  half.generateKeys()
  const peer = half.getPrime()
  // p ends in ff.
  peer[peer.length - 1]! -= 2
  try {
    half.computeSecret(peer)
    return false
  } catch {
    return true
  }
}

export function keyObjectHalf(): HalfKey {
  const { publicKey: info, privateKey } = makeKeyPair('dh', { group, publicKeyEncoding: spki })
  const algorithm = elementAt(info, elementAt(info, 0).begin)
  const key = elementAt(info, elementAt(info, algorithm.end).begin + 1)
  const header = info.subarray(algorithm.start, algorithm.end)
  return {
    getPublicKey: () => info.subarray(key.begin, key.end),
    computeSecret: (peer) => diffieHellman({ privateKey, publicKey: readKey(header, peer) }),
  }
}

function readKey(algorithm: Uint8Array, key: Uint8Array): KeyObject {
  const bits = derElement(bitString, Buffer.of(0), derElement(integer, ...unsigned(key)))
  return createPublicKey({ key: derElement(sequence, algorithm, bits), format: 'der', type: 'spki' })
}

/** Writes the contents of an INTEGER: without zeros in front, but with one if the first bit would be a sign. */
function unsigned(bytes: Uint8Array): Uint8Array[] {
  const first = bytes.findIndex((byte) => byte !== 0)
  const digits = bytes.subarray(first)
  return digits[0]! < 0x80 ? [digits] : [Buffer.of(0), digits]
}

/** Returns the bounds of the element at `start` and of its contents. */
function elementAt(
  der: Buffer,
  start: number,
): { readonly start: number; readonly begin: number; readonly end: number } {
  const first = der[start + 1]!
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  const begin = start + 2 + lengthBytes
  return { start, begin, end: begin + (lengthBytes === 0 ? first : der.readUIntBE(start + 2, lengthBytes)) }
}
