import { hkdfSync, createHmac, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { counterMode } from '../../src/crypto/counter-mode.ts'
import { equalBytes, hkdfExpand, hmac, hmac16, hmacKey } from '../../src/crypto/hmac.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('hmac', () => {
  test('RFC 4231, test case 2, in one part and in several', () => {
    const expected = hex('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
    expect(hmac(Buffer.from('Jefe'), 'what do ya want for nothing?')).toEqual(expected)
    expect(hmac(Buffer.from('Jefe'), 'what do ya ', Buffer.from('want for '), '', 'nothing?')).toEqual(expected)
    expect(hmac(hmacKey(Buffer.from('Jefe')), 'what do ya want for nothing?')).toEqual(expected)
    expect(hmac16(Buffer.from('Jefe'), 'what do ya want for nothing?')).toEqual(expected.subarray(0, 16))
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

describe('equalBytes', () => {
  test('tells bytes and lengths apart', () => {
    expect(equalBytes(hex('0102'), hex('0102'))).toBe(true)
    expect(equalBytes(hex('0102'), hex('0103'))).toBe(false)
    expect(equalBytes(hex('0102'), hex('010203'))).toBe(false)
    expect(equalBytes(hex(''), hex(''))).toBe(true)
  })
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
