/**
 * UniformDH: Diffie-Hellman whose public keys look like random bytes. Used by obfs3 and scramblesuit.
 *
 *     group   RFC 3526 group 5: p of 1536 bits, p = 2q + 1, generator g = 2
 *     private x, even            public  X = g^x, or p − X by the toss of a coin
 *     secret  PEER^x mod p       every value 192 bytes, big-endian, zeros in front
 *
 * g generates the squares only, and an observer can tell a square. p − X is none, so the coin covers the whole group; and
 * as x is even, (p − X)^x = X^x: the peer need not know how the coin fell.
 *
 * How x becomes even: x = 2h for the exponent h of a key pair of node:crypto. Then X = (g^h)² and the secret is (PEER²)^h,
 * so two squarings of public values take the place of drawing h until it is even. docs/decisions/0010-uniform-dh-exponent.md
 * says how long h is, and why that is enough.
 */
import { getDiffieHellman, randomInt } from 'node:crypto'
import { PtError } from '../error.ts'
import type { HalfKey } from './dh-half-key.ts'
import { freshHalf } from './dh-half-key.ts'

/** The bytes of a public key and of a secret. */
export const uniformDhLength = 192

/** A key pair for one handshake. */
export interface UniformDh {
  /** 192 bytes to send; nothing tells them from random ones. */
  readonly publicKey: Buffer
  /** Computes the 192 bytes shared with the owner of `peer` (192 bytes). Throws PT_HANDSHAKE if `peer` is no public key. */
  secret(peer: Uint8Array): Buffer
}

let prime: bigint | undefined
/** p, read on first use: a process that runs no such transport need not load it. */
function groupPrime(): bigint {
  return (prime ??= toInteger(getDiffieHellman('modp5').getPrime()))
}

/** A fresh key pair; with `half` and `coin` (0: send X, 1: send p − X) a given one. */
export function uniformDh(half: HalfKey = freshHalf(), coin: number = randomInt(2)): UniformDh {
  const p = groupPrime()
  const square = toInteger(half.getPublicKey()) ** 2n % p
  return {
    publicKey: toBytes(coin === 0 ? square : p - square),
    secret: (peer) => rightAligned(half.computeSecret(toBytes(requirePublic(peer, p) ** 2n % p))),
  }
}

/** 0, 1 and p − 1 would make the secret known to everyone, and no honest peer sends p or more. */
function requirePublic(peer: Uint8Array, p: bigint): bigint {
  const value = toInteger(peer)
  if (peer.length === uniformDhLength && value > 1n && value < p - 1n) return value
  throw new PtError('PT_HANDSHAKE', 'the peer sent bytes that are no UniformDH public key', { stage: 'mark' })
}

function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex') || '0'}`)
}

function toBytes(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * uniformDhLength, '0'), 'hex')
}

function rightAligned(bytes: Uint8Array): Buffer {
  const out = Buffer.alloc(uniformDhLength)
  out.set(bytes, uniformDhLength - bytes.length)
  return out
}
