import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sealBox } from '../../../src/crypto/secretbox.ts'
import { SipHashDrbg } from '../../../src/crypto/siphash-drbg.ts'
import { maxBoxLength, maxPacketPayload } from '../../../src/transports/obfs4/constants.ts'
import type { Packet } from '../../../src/transports/obfs4/frames.ts'
import { FrameOpener, FrameSealer } from '../../../src/transports/obfs4/frames.ts'
import { hex, transportVectors } from '../../transport-vectors.ts'
import { handshakeVector, repeatable } from './support.ts'

const keys = hex(transportVectors.ntor.okm144).subarray(0, 72)
const randomInt = (n: number): number => repeatable(3).randomInt(n)
const opener = (): FrameOpener => new FrameOpener(keys, randomInt)

function open(reader: FrameOpener, ...chunks: readonly Uint8Array[]): Packet[] {
  return chunks.flatMap((chunk) => Array.from(reader.open(chunk)))
}

/** A frame around any plaintext, which no sealer would make. */
function frameAround(plain: Uint8Array, boxLength?: number): Buffer {
  const nonce = Buffer.concat([keys.subarray(32, 48), hex('0000000000000001')])
  const box = sealBox(keys.subarray(0, 32), nonce, plain)
  const length = Buffer.alloc(2)
  length.writeUInt16BE((boxLength ?? box.length) ^ new SipHashDrbg(keys.subarray(48)).mask())
  return Buffer.concat([length, box])
}

const frameVectors = transportVectors.frames.map(({ payload, frame }) => {
  const packet = hex(payload)
  const end = 3 + packet.readUInt16BE(1)
  return {
    type: packet.readUInt8(0),
    payload: packet.subarray(3, end),
    padding: packet.length - end,
    frame: hex(frame),
  }
})
const stream = Buffer.concat(frameVectors.map(({ frame }) => frame))
const packets = frameVectors.map(({ type, payload }) => ({ type, payload }))

describe('frames', () => {
  test('are, byte for byte, the vectors’', () => {
    const sealer = new FrameSealer(keys)
    for (const { type, payload, padding, frame } of frameVectors) {
      expect(sealer.seal(type, payload, padding)).toEqual(frame)
    }
    expect(open(opener(), stream)).toEqual(packets)
  })

  test('of both sides of the handshake’s vector', () => {
    const material = hex(handshakeVector.okm144)
    const client = new FrameSealer(material.subarray(0, 72))
    expect(client.seal(0, Buffer.from('hello'), 0)).toEqual(hex(handshakeVector.client_frame1_payload_hello))
    expect(client.seal(0, Buffer.from('again'), 10)).toEqual(hex(handshakeVector.client_frame2_payload_again_pad10))
    const server = new FrameOpener(material.subarray(72), randomInt)
    const { server_frame1_prngseed_00to17: first, server_frame2_payload_world: second } = handshakeVector
    const received = open(server, hex(first + second))
    expect(received.map(({ type }) => type)).toEqual([1, 0])
    expect(String(received.at(1)?.payload)).toBe('world')
  })

  test('arrive whole from any two chunks, and byte by byte', () => {
    for (let at = 0; at <= stream.length; at++) {
      const reader = opener()
      expect(open(reader, stream.subarray(0, at), stream.subarray(at))).toEqual(packets)
      expect(reader.pending).toBe(false)
    }
    expect(open(opener(), ...Array.from(stream, (byte) => Uint8Array.of(byte)))).toEqual(packets)
  })

  test('that are not whole are pending, and give nothing', () => {
    const { frame } = frameVectors.at(0)!
    for (let end = 1; end < frame.length; end++) {
      const reader = opener()
      expect(open(reader, frame.subarray(0, end))).toEqual([])
      expect(reader.pending).toBe(true)
    }
  })

  test('carry any payload with any padding, through any chunking', () => {
    const sizes = fc.array(fc.record({ type: fc.nat(255), size: fc.nat(maxPacketPayload), padding: fc.nat(40) }), {
      maxLength: 6,
    })
    fc.assert(
      fc.property(sizes, fc.integer(), fc.array(fc.nat(4_000), { maxLength: 6 }), (list, seed, cuts) => {
        const random = repeatable(seed)
        const sealer = new FrameSealer(keys)
        const sent = list.map(({ type, size, padding }) => ({
          type,
          payload: random.randomBytes(size),
          padding: Math.min(padding, maxPacketPayload - size),
        }))
        const wire = Buffer.concat(sent.map(({ type, payload, padding }) => sealer.seal(type, payload, padding)))
        const ends = [...cuts, wire.length].map((cut) => Math.min(cut, wire.length)).toSorted((a, b) => a - b)
        const chunks = ends.map((end, i) => wire.subarray(ends.at(i - 1)! * Number(i > 0), end))
        expect(open(opener(), ...chunks)).toEqual(sent.map(({ type, payload }) => ({ type, payload })))
      }),
      { numRuns: 50 },
    )
  })

  test('PT_FRAME: a bit that was turned over breaks the connection for good, behind the packets before it', () => {
    const [first] = frameVectors
    for (let bit = 0; bit < 8 * stream.length; bit++) {
      const wire = Buffer.concat([stream, Buffer.alloc(2 * maxBoxLength)])
      wire.writeUInt8(wire.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      const reader = opener()
      const received: Packet[] = []
      expect(() => {
        for (const packet of reader.open(wire)) received.push(packet)
      }).toThrow(expect.objectContaining({ code: 'PT_FRAME' }))
      expect(received).toEqual(packets.slice(0, received.length))
      expect(received.length).toBeGreaterThanOrEqual(bit >> 3 < first!.frame.length ? 0 : 1)
    }
  })

  test('PT_FRAME: a length that cannot be waits for as many bytes as a random one that can', () => {
    for (const length of [0, 15, maxBoxLength + 1, 65_535]) {
      const asked: number[] = []
      const reader = new FrameOpener(keys, (n) => {
        asked.push(n)
        return 100
      })
      const wire = frameAround(Buffer.alloc(0x74 - 16), length)
      expect(wire).toHaveLength(2 + 116)
      expect(open(reader, wire.subarray(0, 117))).toEqual([])
      expect(() => open(reader, wire.subarray(117))).toThrow(expect.objectContaining({ code: 'PT_FRAME' }))
      expect(asked).toEqual([1446 - 16 + 1])
    }
  })

  test.each([
    ['no header', Buffer.alloc(0)],
    ['half a header', hex('0000')],
    ['a payload that is longer than it', hex('00000261')],
    ['a payload that is much longer than it', hex('00ffff61')],
  ])('PT_FRAME: a packet with %s', (_what, plain) => {
    const reader = opener()
    expect(() => open(reader, frameAround(plain))).toThrow(expect.objectContaining({ code: 'PT_FRAME' }))
    expect(() => open(reader, stream)).toThrow(expect.objectContaining({ code: 'PT_FRAME' }))
  })

  test('PT_FRAME: noise breaks it within two of the longest frames', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        expect(() => open(opener(), repeatable(seed).randomBytes(2 * maxBoxLength))).toThrow(/frame|packet/)
      }),
      { numRuns: 40 },
    )
  })

  test('hold on to no more than the rest of a frame', () => {
    const reader = opener()
    open(reader, Buffer.concat([stream, hex('ff')]))
    expect(reader.pending).toBe(true)
  })

  test('need 72 bytes of keys', () => {
    expect(() => new FrameSealer(keys.subarray(1))).toThrow(RangeError)
  })
})
