import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { equalBytes } from '../../src/crypto/equal-bytes.ts'

describe('equalBytes', () => {
  it('tells bytes and lengths apart', () => {
    expect(equalBytes(Uint8Array.of(1, 2), Buffer.of(1, 2))).toBe(true)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3))).toBe(false)
    expect(equalBytes(new Uint8Array(), new Uint8Array())).toBe(true)
  })

  it('says of any two what Buffer says of them', () => {
    const bytes = fc.uint8Array({ maxLength: 3 })
    fc.assert(fc.property(bytes, bytes, (a, b) => equalBytes(a, b) === Buffer.from(a).equals(b)))
  })
})
