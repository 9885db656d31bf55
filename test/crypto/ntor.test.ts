import { describe, expect, test } from 'vitest'
import type { NtorKeyPair } from '../../src/crypto/ntor.ts'
import { ntorClient, ntorExpand, ntorServer } from '../../src/crypto/ntor.ts'
import { x25519, x25519PrivateKey, x25519PublicBytes, x25519PublicKey } from '../../src/crypto/x25519.ts'
import { hex, transportVectors } from '../transport-vectors.ts'

const { x, X, y, Y, b, B, node_id, key_seed, auth, okm144 } = transportVectors.ntor
const nodeId = hex(node_id)
const pair = (privateKey: string, publicKey: string): NtorKeyPair => ({
  privateKey: x25519PrivateKey(hex(privateKey)),
  publicKey: hex(publicKey),
})

/** Every point of low order that is worth a try: 0, 1, p-1, p, and one of order 8. */
const lowOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
]

describe('ntor', () => {
  test('both sides come to the vector’s keys', () => {
    const client = ntorClient({ nodeId, identity: hex(B), ephemeral: pair(x, X) })(hex(Y))
    const server = ntorServer({ nodeId, identity: pair(b, B), ephemeral: pair(y, Y), peer: hex(X) })
    expect(client).toEqual({ keySeed: hex(key_seed), auth: hex(auth) })
    expect(server).toEqual({ keySeed: hex(key_seed), auth: hex(auth) })
    expect(ntorExpand(hex(key_seed), 144)).toEqual(hex(okm144))
  })

  test.each(lowOrder)('a peer with the key %s is trusted by neither side', (key) => {
    const peer = hex(key)
    expect(ntorClient({ nodeId, identity: hex(B), ephemeral: pair(x, X) })(peer)).toBeUndefined()
    expect(ntorClient({ nodeId, identity: peer, ephemeral: pair(x, X) })(hex(Y))).toBeUndefined()
    expect(ntorServer({ nodeId, identity: pair(b, B), ephemeral: pair(y, Y), peer })).toBeUndefined()
  })
})

describe('x25519', () => {
  test('RFC 7748, section 6.1', () => {
    const bob = x25519PrivateKey(hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'))
    const alice = x25519PublicKey(hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'))
    const secret = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'
    expect(x25519(bob, alice)?.toString('hex')).toBe(secret)
    expect(x25519PublicBytes(bob).toString('hex')).toBe(
      'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
    )
  })
})
