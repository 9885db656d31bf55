import { describe, expect, test } from 'vitest'
import { openBox, sealBox } from '../../src/crypto/secretbox.ts'
import { hex } from '../transport-vectors.ts'

// "Cryptography in NaCl" (D. J. Bernstein), section 10.
const key = hex('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389')
const nonce = hex('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37')
const plain = hex(
  'be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705',
)
const box = hex(
  'f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5',
)

describe('secretbox', () => {
  test('the example of the paper, both ways', () => {
    expect(Buffer.from(sealBox(key, nonce, plain))).toEqual(box)
    expect(Buffer.from(openBox(key, nonce, box)!)).toEqual(plain)
  })

  test('a box with any bit flipped, and each strict prefix of one, does not open', () => {
    for (let at = 0; at < box.length; at++) {
      const broken = Buffer.from(box)
      broken.writeUInt8(box.readUInt8(at) ^ (1 << (at & 7)), at)
      expect(openBox(key, nonce, broken)).toBeUndefined()
      expect(openBox(key, nonce, box.subarray(0, at))).toBeUndefined()
    }
  })

  test('an empty box is its tag', () => {
    const empty = sealBox(key, nonce, new Uint8Array())
    expect(empty.length).toBe(16)
    expect(openBox(key, nonce, empty)).toEqual(new Uint8Array())
  })
})
