import fc from 'fast-check'
import { hkdfSync, createHmac, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { counterMode } from '../../src/crypto/counter-mode.ts'
import { hkdfExpand, hmac, hmac16, hmacKey, hmacs } from '../../src/crypto/hmac.ts'
import { hmacKernel, maxKey } from '../../src/crypto/hmac/wasm.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('hmac', () => {
  test('RFC 4231, test case 2, in one part and in several', () => {
    const expected = hex('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
    expect(hmac(Buffer.from('Jefe'), 'what do ya want for nothing?')).toEqual(expected)
    expect(hmac(Buffer.from('Jefe'), 'what do ya ', Buffer.from('want for '), '', 'nothing?')).toEqual(expected)
    expect(hmac(hmacKey(Buffer.from('Jefe')), 'what do ya want for nothing?')).toEqual(expected)
    expect(hmac16(Buffer.from('Jefe'), 'what do ya want for nothing?')).toEqual(expected.subarray(0, 16))
  })

  // RFC 4231, sections 4.2 and 4.4 to 4.8 without 4.6, which is cut.
  test.each([
    ['0b'.repeat(20), '4869205468657265', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    ['aa'.repeat(20), 'dd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
    [
      '0102030405060708090a0b0c0d0e0f10111213141516171819',
      'cd'.repeat(50),
      '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
    ],
    [
      'aa'.repeat(131),
      '54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374',
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
  ])('RFC 4231 with a key of %s', (key, message, expected) => {
    expect(hmac(hex(key), hex(message))).toEqual(hex(expected))
  })

  test('every length of a message and of a key around the block, short and long, is what node:crypto has', () => {
    const keys = [0, 1, 31, 32, maxKey - 1, maxKey, maxKey + 1, 200].map((length) => randomBytes(length))
    const bytes = randomBytes(700)
    for (const key of keys) {
      const held = hmacKey(key)
      for (let length = 0; length <= bytes.length; length++) {
        const message = bytes.subarray(0, length)
        expect(hmac(held, message).equals(createHmac('sha256', key).update(message).digest())).toBe(true)
      }
    }
  })

  test('in any parts, with any keys in turn', () => {
    const part = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ maxLength: 100, unit: 'grapheme' }))
    const call = fc.tuple(fc.nat(2), fc.array(part, { maxLength: 6 }))
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 3, maxLength: 3 }),
        fc.array(call, { maxLength: 6 }),
        (keys, calls) => {
          const held = keys.map(hmacKey)
          for (const [which, parts] of calls) {
            const expected = createHmac('sha256', keys[which]!)
            for (const one of parts) expected.update(one)
            const digest = expected.digest()
            expect(hmac(held[which]!, ...parts)).toEqual(digest)
            expect(hmac(keys[which]!, ...parts)).toEqual(digest)
          }
        },
      ),
    )
  })

  test('a key is what its bytes were when it was made, and a digest stays what it is', () => {
    const bytes = Buffer.from('a key')
    const key = hmacKey(bytes)
    bytes.fill(0)
    const digest = hmac(key, 'a message')
    const copy = Buffer.from(digest)
    hmac(key, 'another one')
    expect(digest).toEqual(copy)
    expect(digest).toEqual(hmac(Buffer.from('a key'), 'a message'))
  })

  test('WebAssembly is what hashes short messages here', () => {
    const kernel = hmacKernel()!
    const digest = kernel.digest(kernel.states(Buffer.from('Jefe')), ['what do ya want for nothing?'])
    expect(digest).toEqual(hmac(Buffer.from('Jefe'), 'what do ya want for nothing?'))
  })
})

describe('hmacs', () => {
  const expected = (key: Uint8Array, begin: Uint8Array, end: string): Buffer =>
    createHmac('sha256', key).update(begin).update(end).digest()

  test('of every length around a block, with ends of several lengths in any order', () => {
    const bytes = randomBytes(200)
    const key = randomBytes(52)
    const ends = ['494967', '', '494968', 'x'.repeat(130), '7', 'é'.repeat(31)]
    for (let length = 0; length <= bytes.length; length++) {
      const begin = bytes.subarray(0, length)
      expect(hmacs(hmacKey(key), begin, ends)).toEqual(ends.map((end) => expected(key, begin, end)))
    }
  })

  test.each([8_185, 8_186, 8_187, 20_000])('of %i bytes, up to where the memory ends and beyond', (length) => {
    const begin = randomBytes(length)
    const key = randomBytes(32)
    expect(hmacs(hmacKey(key), begin, ['494967', '4'])).toEqual([
      expected(key, begin, '494967'),
      expected(key, begin, '4'),
    ])
  })

  test('with a key that is longer than a block; and of no ends', () => {
    const key = randomBytes(65)
    expect(hmacs(hmacKey(key), Buffer.from('begin'), ['end'])).toEqual([expected(key, Buffer.from('begin'), 'end')])
    expect(hmacs(hmacKey(key.subarray(1)), Buffer.from('begin'), [])).toEqual([])
  })

  test('what was hashed before changes nothing', () => {
    const key = hmacKey(randomBytes(32))
    const first = hmacs(key, Buffer.alloc(300, 1), ['a', 'b'])
    hmacs(hmacKey(randomBytes(32)), randomBytes(4_000), ['c'])
    hmac(key, 'd')
    expect(hmacs(key, Buffer.alloc(300, 1), ['a', 'b'])).toEqual(first)
  })
})

describe('hkdfExpand', () => {
  test('RFC 5869, test case 1', () => {
    const prk = hex('077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5')
    expect(hkdfExpand(prk, 42, hex('f0f1f2f3f4f5f6f7f8f9'))).toEqual(
      hex('3cb25f25faacd57a90434f64d0362f2a 2d2d0a90cf1a5a4c5db02d56ecc4c5bf 34007208d5b887185865'),
    )
  })

  test('is what hkdfSync does behind its extraction, at every length', () => {
    const [key, salt] = [randomBytes(32), randomBytes(32)]
    const prk = createHmac('sha256', salt).update(key).digest()
    for (let length = 1; length <= 100; length++) {
      expect(hkdfExpand(prk, length)).toEqual(Buffer.from(hkdfSync('sha256', key, salt, '', length)))
    }
  })
})

test('hkdfExpand gives 8160 bytes, whose blocks are counted in one byte, and refuses more', () => {
  const prk = randomBytes(32)
  const most = hkdfExpand(prk, 8160)
  expect(most.subarray(-32)).toEqual(hmac(prk, most.subarray(-64, -32), Uint8Array.of(255)))
  expect(() => hkdfExpand(prk, 8161)).toThrow(RangeError)
})

describe('counterMode', () => {
  // NIST SP 800-38A, F.5.1 and F.5.5: the first two blocks.
  test.each([
    ['2b7e151628aed2a6abf7158809cf4f3c', '874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff'],
    [
      '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4',
      '601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5',
    ],
  ])('SP 800-38A with a key of %s, whole and split at every byte', (key, cipher) => {
    const counter = hex('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff')
    const plain = hex('6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51')
    for (let at = 0; at <= plain.length; at++) {
      const stream = counterMode(hex(key), counter)
      expect(Buffer.concat([stream(plain.subarray(0, at)), stream(plain.subarray(at))])).toEqual(hex(cipher))
    }
    expect(counterMode(hex(key), counter)(hex(cipher))).toEqual(plain)
  })
})
