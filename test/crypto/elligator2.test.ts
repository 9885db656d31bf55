import { _map_to_curve_elligator2_curve25519 as nobleMap } from '@noble/curves/ed25519.js'
import fc from 'fast-check'
import { diffieHellman } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { decodeRepresentative, elligatorKey } from '../../src/crypto/elligator2.ts'
import type { ElligatorKey } from '../../src/crypto/elligator2.ts'
import { plainElligator2 } from '../../src/crypto/elligator2/plain.ts'
import { wasmElligator2 } from '../../src/crypto/elligator2/wasm.ts'
import { fromBytes, inverse, mod, p, rootOfRatio, toBytes } from '../../src/crypto/elligator2/field.ts'
import { x25519PrivateKey, x25519PublicBytes, x25519PublicKey } from '../../src/crypto/x25519.ts'
import { long } from '../support.ts'
import { hex, transportVectors } from '../transport-vectors.ts'
import * as reference from './elligator2-reference.ts'

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const element = fc.bigInt({ min: 0n, max: p - 1n })

/** The reference takes milliseconds for each key, so `npm run test:long` tries ten times as many random inputs. */
const times = (count: number): { numRuns: number } => ({ numRuns: long ? 10 * count : count })

const versions = [
  ['wasm', wasmElligator2()!],
  ['plain', plainElligator2],
] as const

/** Elements at the edges: of the field, of its limbs, of what a representative can hold. */
const edges: readonly bigint[] = [
  0n,
  1n,
  2n,
  18n,
  19n,
  2n ** 26n - 1n,
  2n ** 26n,
  2n ** 51n - 1n,
  2n ** 253n,
  2n ** 254n - 20n,
  2n ** 254n - 19n,
  2n ** 254n - 1n,
  (p - 1n) / 2n,
  (p + 1n) / 2n,
]

describe.each(versions)('%s: a key', (_name, { key: elligatorKey, decode: decodeRepresentative }) => {
  test.each(transportVectors.elligator2_keygen)('obfs4proxy makes the same of $sk, tweak $tweak', (vector) => {
    const key = elligatorKey(Buffer.concat([hex(vector.sk), hex(vector.tweak ?? '00')]))
    expect(key !== undefined).toBe(vector.ok)
    if (key === undefined) return
    expect(Buffer.from(key.publicKey).toString('hex')).toBe(vector.pub)
    expect(Buffer.from(key.representative).toString('hex')).toBe(vector.repr)
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7])(
    'the slow reference agrees on keys with the low-order component %i',
    (component) => {
      fc.assert(
        fc.property(bytes(33), (seed) => {
          seed[0] = (seed.at(0)! & 0xf8) | component
          const key = elligatorKey(seed)
          expect(key).toEqual(reference.referenceKey(seed))
          if (key !== undefined) expect(decodeRepresentative(key.representative)).toEqual(key.publicKey)
        }),
        times(2),
      )
    },
  )

  test('private keys at the edges: all digits 0, 7, 8 and 15, and each alone', () => {
    const seeds = [0x00, 0x07, 0x70, 0x77, 0x08, 0x80, 0x88, 0xff].flatMap((byte) =>
      [0x00, 0xc1].map((tweak) => Buffer.from([...Buffer.alloc(32, byte), tweak])),
    )
    for (const i of [0, 1, 15, 16, 30, 31]) {
      const seed = Buffer.alloc(33)
      seed[i] = 0x88
      seeds.push(seed)
    }
    for (const seed of seeds) expect(elligatorKey(seed)).toEqual(reference.referenceKey(seed))
  })

  test('a dirty key agrees on the secret that the plain key of the same private key agrees on', () => {
    const seed = Buffer.concat([hex('dbc1b4c900ffe48d575b5da5c638040125f65db0fe3e24494b76ea986457d986'), hex('c1')])
    const dirty = elligatorKey(seed)!
    const mine = x25519PrivateKey(seed.subarray(0, 32))
    expect(x25519PublicBytes(mine)).not.toEqual(Buffer.from(dirty.publicKey))
    const peer = x25519PrivateKey(Buffer.alloc(32, 7))
    const secret = diffieHellman({ privateKey: peer, publicKey: x25519PublicKey(dirty.publicKey) })
    const plain = diffieHellman({ privateKey: mine, publicKey: x25519PublicKey(x25519PublicBytes(peer)) })
    expect(secret).toEqual(plain)
  })

  test('about half of all private keys have a representative, and its upper bits are as random as the others', () => {
    const keys = Array.from({ length: 256 }, (_, i) => {
      const seed = Buffer.alloc(33, i)
      seed.writeUInt32LE((i * 2654435761) % 2 ** 32, 7)
      return elligatorKey(seed)
    }).filter((key) => key !== undefined)
    expect(keys.length).toBeGreaterThan(80)
    expect(keys.length).toBeLessThan(176)
    expect(new Set(keys.map((key) => key.representative.at(31)! >>> 6)).size).toBe(4)
  })
})

describe.each(versions)('%s: a representative', (_name, { decode: decodeRepresentative }) => {
  test.each(transportVectors.elligator2_map)('$repr is $pub', ({ repr, pub }) => {
    expect(Buffer.from(decodeRepresentative(hex(repr))).toString('hex')).toBe(pub)
  })

  test('any 32 bytes are a representative; its two upper bits do not count; reference and library agree', () => {
    fc.assert(
      fc.property(bytes(32), fc.nat(3), (representative, upper) => {
        const u = decodeRepresentative(representative)
        expect(u).toEqual(reference.referenceMap(representative))
        const other = Uint8Array.from(representative)
        other[31] = (other.at(31)! & 0x3f) | (upper << 6)
        expect(decodeRepresentative(other)).toEqual(u)
        other[31] = other.at(31)! & 0x3f
        const { xMn, xMd } = nobleMap(fromBytes(other))
        expect(u).toEqual(toBytes(mod(xMn * inverse(xMd))))
      }),
      times(30),
    )
  })

  test('at the edges of the field, with each choice of the upper bits', () => {
    for (const edge of edges) {
      const representative = toBytes(edge % 2n ** 254n)
      for (const upper of [0, 0x40, 0x80, 0xc0]) {
        representative[31] = (representative.at(31)! & 0x3f) | upper
        expect(decodeRepresentative(representative)).toEqual(reference.referenceMap(representative))
      }
    }
    expect(decodeRepresentative(Buffer.alloc(32, 0xff))).toEqual(reference.referenceMap(Buffer.alloc(32, 0xff)))
  })

  test('does not change what it was given', () => {
    const representative = Buffer.alloc(32, 0xff)
    decodeRepresentative(representative)
    expect(representative).toEqual(Buffer.alloc(32, 0xff))
  })
})

describe('both versions', () => {
  test('make the same keys', () => {
    const [[, wasm], [, plain]] = versions
    fc.assert(
      fc.property(bytes(33), (seed) => {
        const key: ElligatorKey | undefined = wasm.key(seed)
        expect(key).toEqual(plain.key(seed))
        expect(elligatorKey(seed)).toEqual(key)
        if (key !== undefined) expect(decodeRepresentative(key.representative)).toEqual(key.publicKey)
      }),
      times(100),
    )
  })

  test('read the same representatives', () => {
    const [[, wasm], [, plain]] = versions
    fc.assert(
      fc.property(bytes(32), (representative) => {
        expect(wasm.decode(representative)).toEqual(plain.decode(representative))
      }),
      times(100),
    )
  })
})

describe('the field of the plain version', () => {
  test('roots of ratios are roots where there are any', () => {
    fc.assert(
      fc.property(element, element, (n, d) => {
        fc.pre(d !== 0n)
        const root = rootOfRatio(n, d)
        expect(root !== undefined).toBe(reference.isSquare(mod(n * reference.inverse(d))) || n === 0n)
        if (root !== undefined) expect(mod(root * root * d)).toBe(n)
      }),
      times(50),
    )
    expect(rootOfRatio(0n, 5n)).toBe(0n)
  })

  test('inverses are inverses, and bytes go there and back', () => {
    fc.assert(
      fc.property(element, (a) => {
        expect(mod(a * inverse(a))).toBe(a === 0n ? 0n : 1n)
        expect(fromBytes(toBytes(a))).toBe(a)
      }),
    )
    expect(toBytes(1n)).toEqual(Uint8Array.from([1, ...Array.from({ length: 31 }, () => 0)]))
  })
})
