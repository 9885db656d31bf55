import { createCipheriv, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hmac, hmac16 } from '../../../src/crypto/hmac.ts'
import { sessionKeys } from '../../../src/transports/scramblesuit/keys.ts'
import type { Packet } from '../../../src/transports/scramblesuit/packet.ts'
import {
  packetCodec,
  packetFlag,
  packetReader,
  packetWriter,
  paddingPackets,
  payloadPackets,
} from '../../../src/transports/scramblesuit/packet.ts'
import { decodeAll, flip, singly } from '../harness.ts'

const vector = (
  JSON.parse(readFileSync(new URL('../../vectors/transport-vectors.json', import.meta.url), 'utf8')) as {
    scramblesuit: Record<'prk' | 'okm144', string>
  }
).scramblesuit
const keys = sessionKeys(Buffer.from(vector.prk, 'hex')).toServer
const okm = Buffer.from(vector.okm144, 'hex')

/** The slow reference: AES-256 in counter mode written out, from the bytes of the vector. */
function keystream(key: Buffer, prefix: Buffer, length: number): Buffer {
  const blocks = Buffer.alloc(Math.ceil(length / 16) * 16)
  for (let i = 0; i < blocks.length / 16; i++) {
    blocks.set(prefix, i * 16)
    blocks.writeUInt32BE(i + 1, i * 16 + 12)
  }
  return createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(blocks).subarray(0, length)
}

const xor = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)))

/** One packet on the wire with a header that may be wrong, as the first of its stream. */
function wrong(total: number, payload: number, flags: number, body: number): Buffer {
  const plain = Buffer.alloc(5 + body)
  plain.writeUInt16BE(total, 0)
  plain.writeUInt16BE(payload, 2)
  plain.writeUInt8(flags, 4)
  const cipher = keys.cipher()(plain)
  return Buffer.concat([hmac16(keys.mac, cipher), cipher])
}

const packets = (chunks: Iterable<Uint8Array>): Packet[] => {
  const reader = packetReader(keys)
  const all = Array.from(chunks, (chunk) => Array.from(reader.read(chunk))).flat()
  reader.end()
  return all
}

describe('sessionKeys', () => {
  test('are those of the vector, in their places', () => {
    const session = sessionKeys(Buffer.from(vector.prk, 'hex'))
    expect(session.toServer.mac).toEqual(okm.subarray(80, 112))
    expect(session.toClient.mac).toEqual(okm.subarray(112, 144))
    const zeros = Buffer.alloc(40)
    expect(session.toServer.cipher()(zeros)).toEqual(keystream(okm.subarray(0, 32), okm.subarray(32, 40), 40))
    expect(session.toClient.cipher()(zeros)).toEqual(keystream(okm.subarray(40, 72), okm.subarray(72, 80), 40))
  })
})

describe('packets', () => {
  test('their bytes are MAC, and under the keystream total, payload, flags, payload bytes and zeros', () => {
    const wire = packetWriter(keys, () => 21 + 5 + 21 + 30)(payloadPackets(Buffer.from('hello')))
    const stream = keystream(okm.subarray(0, 32), okm.subarray(32, 40), 45)
    const first = xor(stream.subarray(0, 10), Buffer.from('000500050168656c6c6f', 'hex'))
    const second = xor(stream.subarray(10, 45), Buffer.concat([Buffer.from('001e000001', 'hex'), Buffer.alloc(30)]))
    const mac = (bytes: Buffer): Buffer => hmac(okm.subarray(80, 112), bytes).subarray(0, 16)
    expect(wire).toEqual(Buffer.concat([mac(first), first, mac(second), second]))
  })

  test('what is written is read, whatever the sizes, the padding and the chunks', () => {
    const sizes = fc.array(fc.nat(5000), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 21, max: 1448 }),
        fc.integer({ min: 1, max: 3000 }),
        (writes, length, cut) => {
          const plain = writes.map((size) => randomBytes(size))
          const write = packetWriter(keys, () => length)
          const codec = packetCodec(write, packetReader(keys), () => expect.unreachable())
          const wire = Buffer.concat(plain.map((bytes) => Buffer.from(codec.encode(bytes))))
          const chunks = Array.from({ length: Math.ceil(wire.length / cut) }, (_, i) =>
            wire.subarray(i * cut, i * cut + cut),
          )
          expect(decodeAll(codec, chunks)).toEqual(Buffer.concat(plain))
          codec.end?.()
        },
      ),
      { numRuns: 40 },
    )
  })

  test('byte by byte, with the packets of the bridge in between', () => {
    const sent = [
      { flags: packetFlag.ticket, payload: randomBytes(144) },
      { flags: packetFlag.seed, payload: randomBytes(32) },
      { flags: packetFlag.payload, payload: randomBytes(1427) },
    ]
    const wire = packetWriter(keys, () => 21)(sent)
    const read = packets(singly(wire)).filter(
      ({ flags, payload }) => flags !== packetFlag.payload || payload.length > 0,
    )
    expect(read).toEqual(sent)
  })

  test('a burst’s last segment is as long as the distribution says, up to its overheads', () => {
    for (let target = 21; target <= 1448; target += target < 60 ? 1 : 7) {
      for (const size of [0, 1, 20, 21, 26, 700, 1427, 1447, 1448, 1449, 3000]) {
        const lengths = paddingPackets(size, target)
        for (const length of lengths) expect(length >= 21 && length <= 1448).toBe(true)
        const total = lengths.reduce((sum, length) => sum + length, size)
        expect(total % 1448).toBe(target % 1448)
        expect(total - size).toBeLessThan(1448 + 21)
        if (lengths.length > 1) expect(lengths[0]).toBe(700)
      }
    }
  })

  test('a packet of nothing but padding yields nothing, and a write of no bytes sends nothing', () => {
    const codec = packetCodec(
      packetWriter(keys, () => 100),
      packetReader(keys),
      () => expect.unreachable(),
    )
    expect(codec.encode(Buffer.alloc(0))).toHaveLength(0)
    expect(decodeAll(codec, [packetWriter(keys, () => 100)([])])).toHaveLength(0)
  })

  test('PT_FRAME: every changed bit is found, and what was right before it is delivered', () => {
    const write = packetWriter(keys, () => 120)
    const good = write(payloadPackets(Buffer.from('good')))
    const next = write(payloadPackets(Buffer.from('next')))
    for (let bit = 0; bit < next.length * 8; bit += 7) {
      // Bytes of any kind behind it: a changed length may make the reader wait for as many as a packet can hold.
      const reader = packetReader(keys)
      const read: string[] = []
      const chunk = Buffer.concat([good, flip(next, bit), Buffer.alloc(3000)])
      expect(() => {
        for (const { payload } of reader.read(chunk)) if (payload.length > 0) read.push(payload.toString())
      }).toThrow(expect.objectContaining({ code: 'PT_FRAME' }))
      expect(read[0]).toBe('good')
    }
  })

  test('PT_FRAME: a MAC that is right does not save a payload longer than its packet', () => {
    expect(() => packets([wrong(10, 11, 1, 10)])).toThrow(expect.objectContaining({ code: 'PT_FRAME' }))
  })

  test('PT_FRAME: a total that is too long fails as late as a wrong MAC may, and not at once', () => {
    const reader = packetReader(keys)
    expect(Array.from(reader.read(wrong(1428, 0, 1, 0)))).toEqual([])
    expect(() => Array.from(reader.read(Buffer.alloc(1448)))).toThrow(expect.objectContaining({ code: 'PT_FRAME' }))
  })

  test('PT_FRAME: an end in the middle of a packet, at every byte; none between packets', () => {
    const wire = wrong(3, 3, 1, 3)
    for (let at = 1; at < wire.length; at++) {
      expect(() => packets([wire.subarray(0, at)])).toThrow(expect.objectContaining({ code: 'PT_FRAME' }))
    }
    expect(packets([])).toEqual([])
    expect(packets([wire])).toEqual([{ flags: 1, payload: Buffer.alloc(3) }])
  })

  test('fuzz: random bytes end in PT_FRAME or wait for more', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 5 }), (chunks) => {
        const reader = packetReader(keys)
        try {
          for (const chunk of chunks) expect(Array.from(reader.read(chunk))).toEqual([])
        } catch (error) {
          expect(error).toMatchObject({ code: 'PT_FRAME' })
        }
      }),
    )
  })
})
