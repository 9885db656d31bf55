/**
 * Key shares (RFC 8446, section 4.2.8): a pair of keys of one group each, and the secret that comes of it.
 *
 *     x25519           32 bytes each way
 *     secp256r1 …      04 | x | y
 *     ffdhe2048 …      a number as long as the prime (RFC 7919)
 *     X25519MLKEM768   ML-KEM-768's public key 1184 | X25519 32      the server's: ciphertext 1088 | X25519 32
 */
import { createDiffieHellman, createECDH } from 'node:crypto'
import {
  makeX25519Keys,
  x25519,
  x25519KeyLength,
  x25519PrivateKey,
  x25519PublicBytes,
  x25519PublicKey,
} from '../crypto/x25519.ts'
import { TlsFault } from './alert.ts'
import { ffdhePrime } from './ffdhe.ts'
import { kemCiphertextLength, makeKemKeys } from './ml-kem.ts'

export const groups = {
  secp256r1: 0x0017,
  secp384r1: 0x0018,
  secp521r1: 0x0019,
  x25519: 0x001d,
  ffdhe2048: 0x0100,
  ffdhe3072: 0x0101,
  x25519MlKem768: 0x11ec,
} as const

/** Every group that a server may ask for by a HelloRetryRequest, if it is offered. */
export const knownGroups: ReadonlySet<number> = new Set(Object.values(groups))

export interface KeyShare {
  readonly group: number
  /** As it goes into the hello. */
  readonly publicKey: Buffer
  /** The secret with the server's key, which is checked. */
  agree(theirs: Buffer): Buffer
}

/** A pair of X25519, which a hybrid share may have in common with the share of X25519 alone. */
export interface X25519Pair {
  readonly publicKey: Buffer
  agree(theirs: Buffer): Buffer
}

/** `privateBytes` are for vectors; without them the pair is a fresh one. */
export function makeX25519(privateBytes?: Buffer): X25519Pair {
  const { privateKey, publicBytes } = privateBytes === undefined ? makeX25519Keys() : x25519KeysOf(privateBytes)
  const agree = (theirs: Buffer): Buffer => {
    if (theirs.length !== x25519KeyLength) throw badShare()
    const secret = x25519(privateKey, x25519PublicKey(theirs))
    if (secret === undefined) throw badShare()
    return secret
  }
  return { publicKey: publicBytes, agree }
}

function x25519KeysOf(bytes: Buffer): ReturnType<typeof makeX25519Keys> {
  const privateKey = x25519PrivateKey(bytes)
  return { privateKey, publicBytes: x25519PublicBytes(privateKey) }
}

/** A fresh share of `group`, with `pair` as its part of X25519 if it has one. Undefined if the group is unknown here. */
export async function makeShare(group: number, pair: X25519Pair | undefined): Promise<KeyShare | undefined> {
  switch (group) {
    case groups.x25519:
      return { group, ...(pair ?? makeX25519()) }
    case groups.x25519MlKem768:
      return await makeHybrid(pair ?? makeX25519())
    case groups.secp256r1:
      return makeEcdh(group, 'prime256v1', 32)
    case groups.secp384r1:
      return makeEcdh(group, 'secp384r1', 48)
    case groups.secp521r1:
      return makeEcdh(group, 'secp521r1', 66)
    case groups.ffdhe2048:
      return makeFfdhe(group, 2048)
    case groups.ffdhe3072:
      return makeFfdhe(group, 3072)
    default:
      return undefined
  }
}

/** The secret of ML-KEM first, then that of X25519 (draft-ietf-tls-ecdhe-mlkem). */
async function makeHybrid(pair: X25519Pair): Promise<KeyShare> {
  const kem = await makeKemKeys()
  const agree = (theirs: Buffer): Buffer => {
    if (theirs.length !== kemCiphertextLength + x25519KeyLength) throw badShare()
    const secret = kem.decapsulate(theirs.subarray(0, kemCiphertextLength))
    return Buffer.concat([secret, pair.agree(theirs.subarray(kemCiphertextLength))])
  }
  return { group: groups.x25519MlKem768, publicKey: Buffer.concat([kem.publicKey, pair.publicKey]), agree }
}

function makeEcdh(group: number, curve: string, length: number): KeyShare {
  const ecdh = createECDH(curve)
  const publicKey = ecdh.generateKeys()
  const agree = (theirs: Buffer): Buffer => {
    // The compressed form of a point is not of TLS 1.3.
    if (theirs.length !== 1 + 2 * length || theirs[0] !== 4) throw badShare()
    return orBadShare(() => ecdh.computeSecret(theirs))
  }
  return { group, publicKey, agree }
}

function makeFfdhe(group: number, bits: 2048 | 3072): KeyShare {
  const dh = createDiffieHellman(ffdhePrime(bits), Buffer.of(2))
  const length = bits / 8
  const padded = (number: Buffer): Buffer => Buffer.concat([Buffer.alloc(length - number.length), number])
  const publicKey = padded(dh.generateKeys())
  const agree = (theirs: Buffer): Buffer => {
    if (theirs.length !== length) throw badShare()
    return padded(orBadShare(() => dh.computeSecret(theirs)))
  }
  return { group, publicKey, agree }
}

function orBadShare(compute: () => Buffer): Buffer {
  try {
    return compute()
  } catch (cause) {
    throw badShare(cause)
  }
}

function badShare(cause?: unknown): TlsFault {
  return new TlsFault('illegal_parameter', "the server's key share is no key of its group", { cause })
}
