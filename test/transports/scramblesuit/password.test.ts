import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Args } from '../../../src/ipc/index.ts'
import { decodeBase32, encodeBase32 } from '../../../src/transports/scramblesuit/base32.ts'
import { newPassword, parsePassword, passwordOf } from '../../../src/transports/scramblesuit/password.ts'

describe('base32', () => {
  // RFC 4648, section 10.
  test.each([
    ['', ''],
    ['f', 'MY======'],
    ['fo', 'MZXQ===='],
    ['foo', 'MZXW6==='],
    ['foob', 'MZXW6YQ='],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI======'],
  ])('%j is %j, and reads back with and without its padding', (text, encoded) => {
    expect(encodeBase32(Buffer.from(text))).toBe(encoded)
    expect(decodeBase32(encoded)).toEqual(Buffer.from(text))
    expect(decodeBase32(encoded.replaceAll('=', ''))).toEqual(Buffer.from(text))
  })

  test('whatever is written reads back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeBase32(encodeBase32(bytes))).toEqual(Buffer.from(bytes))
      }),
    )
  })

  test.each(['A', 'MZX', 'MZXW6Y', 'M', 'MZ', 'MY=A', 'my', 'M1======', 'MZXW 6YQ', '\u00c4'])('%j is none', (text) => {
    expect(decodeBase32(text)).toBeUndefined()
  })
})

describe('password', () => {
  const secret = Buffer.from('a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3', 'hex')
  const password = encodeBase32(secret)

  test('is 32 characters of base32 for 20 bytes', () => {
    expect(password).toBe('UCQ2FI5EUWTKPKFJVKV2ZLNOV6YLDMVT')
    expect(parsePassword(password)).toEqual(secret)
    expect(newPassword()).toMatch(/^[A-Z2-7]{32}$/)
    expect(passwordOf(Args.from({ password }))).toEqual(secret)
    expect(passwordOf(Args.none)).toBeUndefined()
  })

  test('reads what people make of it: lower case, 1 for I, 0 for O, padding', () => {
    expect(parsePassword(password.toLowerCase())).toEqual(secret)
    expect(parsePassword(password.replaceAll('I', '1').replaceAll('O', '0'))).toEqual(secret)
    expect(parsePassword(`${password}====`)).toEqual(secret)
  })

  test.each([
    ['', 'has 0 characters instead of 32'],
    [password.slice(1), 'has 31 characters instead of 32'],
    [`${password}A`, 'has 33 characters instead of 32'],
    [`${password}AAAAAAAA`, 'has 40 characters instead of 32'],
    [`${password.slice(1)}8`, 'holds characters other than A to Z and 2 to 7'],
    [`${password.slice(1)} `, 'holds characters other than A to Z and 2 to 7'],
  ])('PT_ARGS: %j is refused by name, and never repeated', (text, why) => {
    expect(() => parsePassword(text)).toThrow(
      expect.objectContaining({
        code: 'PT_ARGS',
        stage: 'argument',
        message: `malformed argument 'password': it ${why}`,
      }),
    )
  })
})
