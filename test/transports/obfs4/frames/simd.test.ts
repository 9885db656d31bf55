/** The parts of the WebAssembly module, each by itself against published vectors and the slow, obvious version. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { xsalsa20 } from '@noble/ciphers/salsa.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { frameKernelBase64 } from '../../../../src/transports/obfs4/frames/binary.ts'
import { webAssembly } from '../../../../src/crypto/web-assembly.ts'
import { sealBox } from '../../../../src/crypto/secretbox.ts'
import { root } from '../../../support.ts'
import { hex, transportVectors } from '../../../transport-vectors.ts'
import { sipHash24 } from '../../../crypto/siphash-reference.ts'

interface Parts {
  readonly memory: { readonly buffer: ArrayBuffer }
  heap(): number
  hsalsa20(target: number, key: number, prefix: number): void
  box(key: number, nonce: bigint, source: number, target: number, length: number, ciphertext: number, tag: number): void
  seedDrbg(state: number, seed: number): void
  nextBlock(state: number): bigint
  readonly STATE: { readonly value: number }
  seal(type: number, payload: number, length: number, padding: number, target: number): number
  sealAll(payload: number, length: number, target: number): number
  open(source: number, length: number, target: number, each: number): number
}

const wasm = new webAssembly!.Instance(new webAssembly!.Module(Buffer.from(frameKernelBase64, 'base64')))
const parts = wasm.exports as Parts
const memory = Buffer.from(parts.memory.buffer)
/** Places of 4 KiB in the module's memory. */
const place = (n: number): number => ((parts.heap() + 4_095) & ~4_095) + 4_096 * (n + 1)
const [keyAt, prefixAt, subkeyAt, plainAt, sealedAt, openedAt, tagAt] = [0, 1, 2, 3, 4, 5, 6].map(place) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
]
const bytesAt = (at: number, length: number): Buffer => Buffer.from(memory.subarray(at, at + length))

// "Cryptography in NaCl" (D. J. Bernstein), sections 8 and 10.
const naclKey = hex('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389')
const naclNonce = hex('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37')
const naclSubkey = hex('dc908dda0b9344a953629b733820778880f3ceb421bb61b91cbd4c3e66256ce4')
const naclPlain = hex(
  'be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705',
)
const naclBox = hex(
  'f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5',
)

const prime = 2n ** 130n - 5n
const littleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)

/** Of whole blocks, before the pad is added. */
function poly1305(message: Buffer, r: bigint): bigint {
  let sum = 0n
  for (let at = 0; at < message.length; at += 16) {
    sum = ((sum + littleEndian(message.subarray(at, at + 16)) + 2n ** 128n) * r) % prime
  }
  return sum
}

/** Two blocks that come to this sum: the first is random, and the second what is still wanted of r⁻¹ times the sum. */
function twoBlocks(sum: bigint, r: bigint): Buffer {
  let [inverse, base] = [1n, r]
  for (let exponent = prime - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) inverse = (inverse * base) % prime
    base = (base * base) % prime
  }
  for (;;) {
    const first = randomBytes(16)
    const wanted = (sum * inverse - poly1305(first, r) - 2n ** 128n) % prime
    const second = wanted < 0n ? wanted + prime : wanted
    // Three in four have more than the 16 bytes of a block.
    if (second >= 2n ** 128n) continue
    return Buffer.concat([first, Buffer.from(second.toString(16).padStart(32, '0'), 'hex').reverse()])
  }
}

function subkey(key: Uint8Array, prefix: Uint8Array): Buffer {
  memory.set(key, keyAt)
  memory.set(prefix, prefixAt)
  parts.hsalsa20(subkeyAt, keyAt, prefixAt)
  return bytesAt(subkeyAt, 32)
}

function seal(key: Uint8Array, nonce: Buffer, plain: Uint8Array): Buffer {
  subkey(key, nonce.subarray(0, 16))
  memory.set(plain, plainAt)
  parts.box(subkeyAt, nonce.readBigInt64LE(16), plainAt, sealedAt, plain.length, sealedAt, tagAt)
  return Buffer.concat([bytesAt(tagAt, 16), bytesAt(sealedAt, plain.length)])
}

/** What the box at `sealedAt` opens to, and the tag that it should have. */
function open(nonce: Buffer, length: number): { plain: Buffer; tag: Buffer } {
  parts.box(subkeyAt, nonce.readBigInt64LE(16), sealedAt, openedAt, length, sealedAt, tagAt)
  return { plain: bytesAt(openedAt, length), tag: bytesAt(tagAt, 16) }
}

// The time of two compilations, on a machine that does something else too.
test('the modules in src/ are what the sources in assembly/ make; if they are not, npm run kernel writes them', () => {
  execFileSync(process.execPath, [join(root, 'scripts/kernel.mjs'), '--check'], { stdio: 'pipe' })
}, 90_000)

describe('secretbox', () => {
  test('the example of the paper: the second key, and the box', () => {
    expect(subkey(naclKey, naclNonce.subarray(0, 16))).toEqual(naclSubkey)
    expect(seal(naclKey, naclNonce, naclPlain)).toEqual(naclBox)
    expect(open(naclNonce, naclPlain.length)).toEqual({ plain: naclPlain, tag: naclBox.subarray(0, 16) })
  })

  test('every length of a packet: what the library makes of it, and back', () => {
    const [key, nonce, bytes] = [randomBytes(32), randomBytes(24), randomBytes(1_430)]
    for (let length = 0; length <= bytes.length; length++) {
      const plain = bytes.subarray(0, length)
      const expected = Buffer.from(sealBox(key, nonce, plain))
      if (!seal(key, nonce, plain).equals(expected)) expect.fail(`seals ${length} bytes wrongly`)
      const { plain: opened, tag } = open(nonce, length)
      if (!opened.equals(plain) || !tag.equals(expected.subarray(0, 16))) expect.fail(`opens ${length} bytes wrongly`)
    }
  })

  test('any key, nonce and message, with ones and zeros in long runs as carries want them', () => {
    const runs = fc
      .array(fc.tuple(fc.constantFrom(0x00, 0xff, 0xfb, 0x80), fc.integer({ min: 1, max: 200 })), { maxLength: 8 })
      .map((list) => Buffer.concat(list.map(([byte, length]) => Buffer.alloc(length, byte))).subarray(0, 1_430))
    const fixed = (length: number): fc.Arbitrary<Buffer> =>
      fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(fixed(32), fixed(24), runs, (key, nonce, plain) => {
        expect(seal(key, nonce, plain)).toEqual(Buffer.from(sealBox(key, nonce, plain)))
        // As ciphertext too: what comes from the wire need not look random.
        memory.set(plain, sealedAt)
        const { plain: opened, tag } = open(nonce, plain.length)
        expect(Buffer.from(sealBox(key, nonce, opened)).subarray(0, 16)).toEqual(tag)
      }),
      { numRuns: 300 },
    )
  })

  test.each([
    ['nothing', 0n],
    ['one', 1n],
    ['the prime less one', prime - 1n],
    ['the prime less five, which is 2^130 with five behind it', prime - 5n],
    ['2^128 - 1', 2n ** 128n - 1n],
    ['2^128', 2n ** 128n],
    ['3 · 2^128', 3n * 2n ** 128n],
    ['2^96 - 1', 2n ** 96n - 1n],
    ['ones above the lowest limb', 2n ** 128n - 2n ** 32n],
  ])('Poly1305: the sum behind a block is %s, and in the end, and within a message', (_, sum) => {
    for (const blocks of [2, 90]) {
      const [key, nonce] = [randomBytes(32), randomBytes(24)]
      const oneTimeKey = xsalsa20(key, nonce, new Uint8Array(32))
      const r = littleEndian(oneTimeKey.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn
      const message = Buffer.concat([twoBlocks(sum, r), randomBytes(16 * (blocks - 2))])
      memory.set(message, sealedAt)
      subkey(key, nonce.subarray(0, 16))
      parts.box(subkeyAt, nonce.readBigInt64LE(16), plainAt, openedAt, message.length, sealedAt, tagAt)
      const expected = (poly1305(message, r) + littleEndian(oneTimeKey.subarray(16))) % 2n ** 128n
      expect(littleEndian(bytesAt(tagAt, 16))).toBe(expected)
      if (blocks === 2) expect(poly1305(message, r)).toBe(sum)
    }
  })

  test('leaves what is before a message, and what is more than 255 bytes behind it, as it was', () => {
    for (const length of [0, 1, 223, 224, 225, 480, 481, 1_430]) {
      memory.fill(0xa5, sealedAt - 64, sealedAt + 2_048)
      seal(randomBytes(32), randomBytes(24), randomBytes(length))
      expect(bytesAt(sealedAt - 64, 64)).toEqual(Buffer.alloc(64, 0xa5))
      expect(bytesAt(sealedAt + length + 256, 64)).toEqual(Buffer.alloc(64, 0xa5))
    }
  })
})

describe('the generator of length masks', () => {
  const blocks = (seed: Uint8Array, count: number): Buffer[] => {
    memory.set(seed, plainAt)
    parts.seedDrbg(keyAt, plainAt)
    return Array.from({ length: count }, () => {
      const block = Buffer.alloc(8)
      block.writeBigUInt64LE(BigInt.asUintN(64, parts.nextBlock(keyAt)))
      return block
    })
  }

  test('SipHash-2-4 of eight bytes: the vector of its authors', () => {
    const seed = hex('000102030405060708090a0b0c0d0e0f0001020304050607')
    expect(blocks(seed, 1)).toEqual([hex('6224939a79f5f593')])
  })

  test.each(transportVectors.drbg)('the blocks of seed $seed', (vector) => {
    const drawn = blocks(hex(vector.seed), 301).map((block) => block.toString('hex'))
    expect(drawn.slice(0, 5)).toEqual(vector.blocks)
    expect(drawn[300]).toBe(vector.block301)
  })

  test('block n is the hash of all before it, through a whole turn of the length byte', () => {
    const seed = randomBytes(24)
    let fed = Buffer.from(seed.subarray(16))
    for (const block of blocks(seed, 70)) {
      expect(block.readBigUInt64LE()).toBe(sipHash24(seed.subarray(0, 16), fed))
      fed = Buffer.concat([fed, block])
    }
  })
})

test('no nonce comes twice: behind the last of 2^64 nothing is sealed or opened', () => {
  const counterAt = parts.STATE.value + 32
  memory.writeBigUInt64LE(2n ** 64n - 1n, counterAt)
  expect(parts.seal(0, plainAt, 5, 0, sealedAt)).toBe(26)
  expect(parts.seal(0, plainAt, 5, 0, sealedAt)).toBe(0)
  expect(parts.sealAll(plainAt, 5, sealedAt)).toBe(0)
  // A whole frame, the length of which is known already.
  memory.writeUInt32LE(24, parts.STATE.value + 88)
  expect(parts.open(sealedAt, 26, openedAt, 0)).toBe(6)
})
