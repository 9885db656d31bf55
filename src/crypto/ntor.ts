/**
 * The ntor handshake as obfs4 has it: HMAC with the label as its key, and B twice in the transcript.
 *
 *     suffix        B | B | X | Y | PROTOID | NODEID
 *     secret_input  X25519(x, Y) | X25519(x, B) | suffix          of the client; the server's are X25519(y, X) | X25519(b, X)
 *     KEY_SEED      HMAC(t_key, secret_input)
 *     AUTH          HMAC(t_mac, HMAC(t_verify, secret_input) | suffix | "Server")
 */
import type { KeyObject } from 'node:crypto'
import { memoizeByBytes } from './memoize.ts'
import { hkdfExpand, hmac, hmacKey } from './hmac.ts'
import { x25519, x25519PublicKey } from './x25519.ts'

export const nodeIdLength = 20
export const ntorAuthLength = 32

const protoId = 'ntor-curve25519-sha256-1'
const labels = {
  key: `${protoId}:key_extract`,
  verify: `${protoId}:key_verify`,
  mac: `${protoId}:mac`,
  expand: `${protoId}:key_expand`,
}
const keys = {
  key: hmacKey(Buffer.from(labels.key)),
  verify: hmacKey(Buffer.from(labels.verify)),
  mac: hmacKey(Buffer.from(labels.mac)),
}
const expandBytes = Buffer.from(labels.expand)
const protoIdBytes = Buffer.from(protoId)
const serverBytes = Buffer.from('Server')

/** A key pair, with the public key in the bytes that go into the transcript. */
export interface NtorKeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: Uint8Array
}

export interface NtorResult {
  readonly keySeed: Buffer
  /** What proves that the server holds its identity key. Compare it in constant time. */
  readonly auth: Buffer
}

export interface NtorClientOptions {
  readonly nodeId: Uint8Array
  /** B, the server's identity. */
  readonly identity: Uint8Array
  /** x and X. */
  readonly ephemeral: NtorKeyPair
}

/**
 * The client's side, to be called with Y, the server's ephemeral key. What needs no Y is computed here, while the server
 * computes too. The result is undefined if a shared secret is all zero, as it would prove nothing.
 */
export function ntorClient({
  nodeId,
  identity,
  ephemeral,
}: NtorClientOptions): (peer: Uint8Array) => NtorResult | undefined {
  const withIdentity = x25519(ephemeral.privateKey, identityKey(identity))
  return (peer) => {
    const withPeer = x25519(ephemeral.privateKey, x25519PublicKey(peer))
    return finish([withPeer, withIdentity], [identity, identity, ephemeral.publicKey, peer, protoIdBytes, nodeId])
  }
}

/** A client has few bridges. */
const identityKey = memoizeByBytes(64, x25519PublicKey)

export interface NtorServerOptions {
  readonly nodeId: Uint8Array
  /** b and B. */
  readonly identity: NtorKeyPair
  /** y and Y. */
  readonly ephemeral: NtorKeyPair
  /** X, the client's ephemeral key. */
  readonly peer: Uint8Array
}

/** Computes the server's side. The result is undefined if a shared secret is all zero. */
export function ntorServer({ nodeId, identity, ephemeral, peer }: NtorServerOptions): NtorResult | undefined {
  const key = x25519PublicKey(peer)
  const secrets = [x25519(ephemeral.privateKey, key), x25519(identity.privateKey, key)]
  return finish(secrets, [identity.publicKey, identity.publicKey, peer, ephemeral.publicKey, protoIdBytes, nodeId])
}

function finish(secrets: readonly (Buffer | undefined)[], suffix: readonly Uint8Array[]): NtorResult | undefined {
  const [first, second] = secrets
  if (first === undefined || second === undefined) return undefined
  const verify = hmac(keys.verify, first, second, ...suffix)
  return {
    keySeed: hmac(keys.key, first, second, ...suffix),
    auth: hmac(keys.mac, verify, ...suffix, serverBytes),
  }
}

/** Key material of a KEY_SEED, by HKDF with t_key as its salt and m_expand as its info: `length` bytes. */
export function ntorExpand(keySeed: Uint8Array, length: number): Buffer {
  return hkdfExpand(hmac(keys.key, keySeed), length, expandBytes)
}
