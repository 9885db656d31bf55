import { createDiffieHellman, getDiffieHellman, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { uniformDh, uniformDhLength } from '../../src/crypto/uniform-dh.ts'

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/transport-vectors.json', import.meta.url), 'utf8'),
) as Record<'uniformdh_obfs3', Record<string, string>>
const udh = vectors.uniformdh_obfs3

/** RFC 3526, section 2: p = 2^1536 - 2^1472 - 1 + 2^64 * { [2^1406 pi] + 741804 }. */
const p = BigInt(
  '0xffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd' +
    'ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed' +
    'ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f' +
    '83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca237327ffffffffffffffff',
)
const q = (p - 1n) / 2n

/** The slow reference: square and multiply. */
function power(base: bigint, exponent: bigint): bigint {
  let [result, factor] = [1n, base % p]
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * factor) % p
    factor = (factor * factor) % p
  }
  return result
}

const bytesOf = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(384, '0'), 'hex')
const integerOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)

/** The reference's key pair of 192 random bytes: the low bit is the coin, and is cleared in the exponent. */
function reference(seed: bigint): { publicKey: Buffer; secret(peer: Uint8Array): Buffer } {
  const x = seed & ~1n
  const square = power(2n, x)
  return {
    publicKey: bytesOf(seed & 1n ? p - square : square),
    secret: (peer) => bytesOf(power(integerOf(peer), x)),
  }
}

/** Our key pair of the same bytes. Only tests may set an exponent: this class of node:crypto tests its prime on use. */
function ours(seed: bigint): ReturnType<typeof uniformDh> {
  const half = createDiffieHellman(getDiffieHellman('modp5').getPrime(), 2)
  half.setPrivateKey(Buffer.from((seed >> 1n).toString(16).padStart(384, '0'), 'hex'))
  half.generateKeys()
  return uniformDh(half, Number(seed & 1n))
}

describe('uniformDh', () => {
  test('the group is the one of RFC 3526, section 2', () => {
    expect(getDiffieHellman('modp5').getPrime('hex')).toBe(p.toString(16))
    expect(getDiffieHellman('modp5').getGenerator('hex')).toBe('02')
    expect(p % 8n).toBe(7n) // 2 is a square, and -1 is none
  })

  test('the vectors hold for the slow reference and for ours, with either fall of the coin', () => {
    for (const make of [reference, ours]) {
      const [a, b] = [make(BigInt(`0x${udh['priv_a']}`)), make(BigInt(`0x${udh['priv_b']}`))]
      expect(a.publicKey.toString('hex')).toBe(udh['pub_a'])
      expect(b.publicKey.toString('hex')).toBe(udh['pub_b'])
      expect(a.secret(b.publicKey).toString('hex')).toBe(udh['secret'])
      expect(b.secret(a.publicKey).toString('hex')).toBe(udh['secret'])
    }
  })

  test('fresh pairs agree with each other and with the slow reference', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 192, maxLength: 192 }), (seed) => {
        const [slow, fresh, other] = [reference(integerOf(seed)), uniformDh(), uniformDh()]
        expect(fresh.secret(slow.publicKey)).toEqual(slow.secret(fresh.publicKey))
        expect(fresh.secret(other.publicKey)).toEqual(other.secret(fresh.publicKey))
      }),
      { numRuns: 15 },
    )
  })

  test('both falls of the coin come up, and only one of them is a square', () => {
    const squares = Array.from({ length: 40 }, () => power(integerOf(uniformDh().publicKey), q) === 1n)
    expect(new Set(squares)).toEqual(new Set([true, false])) // fails by chance once in 2^39
    const half = getDiffieHellman('modp5')
    half.generateKeys()
    const [tails, heads] = [uniformDh(half, 0).publicKey, uniformDh(half, 1).publicKey]
    expect(power(integerOf(tails), q)).toBe(1n)
    expect(integerOf(tails) + integerOf(heads)).toBe(p)
  })

  test('the exponents of node:crypto are as long as the decision says', () => {
    for (let i = 0; i < 20; i++) {
      const half = getDiffieHellman('modp5')
      half.generateKeys()
      // 2^-20 of all draws of 200 bits are shorter than 180.
      expect(half.getPrivateKey('hex').length * 4).toBeGreaterThan(180)
    }
  })

  test('public keys and secrets keep the zeros in front', () => {
    expect(ours(2n).publicKey).toEqual(bytesOf(4n))
    // peer = 9^(1/x) in the subgroup of order q, so that the secret is 9.
    const x = integerOf(randomBytes(32)) & ~1n
    const peer = bytesOf(power(9n, inverse(x)))
    expect(ours(x).secret(peer)).toEqual(bytesOf(9n))
    expect(ours(x).secret(peer)).toHaveLength(uniformDhLength)
  })

  test.each([
    ['0', bytesOf(0n)],
    ['1', bytesOf(1n)],
    ['p - 1', bytesOf(p - 1n)],
    ['p', bytesOf(p)],
    ['p + 1', bytesOf(p + 1n)],
    ['all ones', Buffer.alloc(192, 0xff)],
    ['no bytes', Buffer.alloc(0)],
    ['191 bytes', Buffer.alloc(191, 7)],
    ['193 bytes', Buffer.alloc(193, 7)],
  ])('PT_HANDSHAKE: %s is no public key', (_, peer) => {
    expect(() => uniformDh().secret(peer)).toThrow(expect.objectContaining({ code: 'PT_HANDSHAKE', stage: 'mark' }))
  })

  test.each([2n, 3n, p - 2n])('the smallest and largest public keys are taken (%#)', (peer) => {
    const x = integerOf(randomBytes(192)) & ~1n
    expect(ours(x).secret(bytesOf(peer))).toEqual(bytesOf(power(peer, x)))
  })
})

/** 1/x mod q, by Fermat. */
function inverse(x: bigint): bigint {
  let [result, factor] = [1n, x % q]
  for (let rest = q - 2n; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * factor) % q
    factor = (factor * factor) % q
  }
  return result
}
