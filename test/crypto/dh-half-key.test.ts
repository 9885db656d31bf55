import { getDiffieHellman } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { freshHalf, groupHalf, keyObjectHalf } from '../../src/crypto/dh-half-key.ts'
import { uniformDh } from '../../src/crypto/uniform-dh.ts'

const p = BigInt(`0x${getDiffieHellman('modp5').getPrime('hex')}`)
const bytesOf = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(384, '0'), 'hex')
const integerOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)

/** The slow, obvious power. */
function power(base: bigint, exponent: number): bigint {
  let result = 1n
  for (let i = 0; i < exponent; i++) result = (result * base) % p
  return result
}

describe.each([
  ['of a group', groupHalf],
  ['of key objects', keyObjectHalf],
  ['as chosen', freshHalf],
])('an exponent %s', (_name, make) => {
  test('raises what is sent with any number of zeros in front, and with any first bit', () => {
    const half = make()
    const publicKey = integerOf(half.getPublicKey())
    // The secret with 2^(2k) is that of the public key's own power.
    for (const k of [1, 2, 3, 4, 7, 8, 60, 64, 508, 760, 764, 767, 1_000]) {
      expect(integerOf(half.computeSecret(bytesOf(power(4n, k))))).toBe(power(publicKey, 2 * k))
    }
  })

  test('is fresh each time, and agrees with either of the two', () => {
    expect(make().getPublicKey()).not.toEqual(make().getPublicKey())
    for (const other of [groupHalf, keyObjectHalf]) {
      for (let i = 0; i < 8; i++) {
        const [a, b] = [uniformDh(make()), uniformDh(other())]
        expect(a.secret(b.publicKey)).toEqual(b.secret(a.publicKey))
      }
    }
  })
})
