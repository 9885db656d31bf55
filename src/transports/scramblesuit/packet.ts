/**
 * Packets after the handshake, and the padding that gives each burst of them its length.
 *
 *     MAC(16) | E( total(2) | payload(2) | flags(1) | payload bytes | zeros )
 *               └───────────────── MAC'd as ciphertext ─────────────────┘
 *
 *     total = payload and zeros, at most 1427; a packet is at most 1448 bytes, what one TCP segment holds
 *     flags   1 payload   2 a new session ticket (master 32 | ticket 112)   4 the seed of a length distribution (32)
 *
 * The keystream goes on from packet to packet, so that each MAC also holds its packet's place in the sequence.
 */
import { randomInt } from 'node:crypto'
import type { HmacKey } from '../../crypto/hmac.ts'
import { equalBytes } from '../../crypto/equal-bytes.ts'
import { hmac16, hmacKey, macLength } from '../../crypto/hmac.ts'
import { PtError } from '../../error.ts'
import type { Codec } from '../../io/carry/codec.ts'
import { withDirect } from '../../io/carry/codec.ts'
import type { DirectionKeys } from './keys.ts'

export const packetFlag = { payload: 1, ticket: 2, seed: 4 } as const

/** The longest packet. */
export const segmentLength = 1448
const headLength = 5
/** The shortest packet: a MAC and a header. */
export const packetOverhead: number = macLength + headLength
const maxTotal = segmentLength - packetOverhead
/** Two packets share a padding that is longer than one: this is the length of the first. */
const splitPadding = 700

/** A packet that is no padding. */
export interface Packet {
  readonly flags: number
  readonly payload: Uint8Array
}

/** Encrypts packets and pads what they are together, so that the last segment is as long as `sampleLength` (21 to 1448) says. */
export function packetWriter(
  keys: DirectionKeys,
  sampleLength: () => number,
): (packets: readonly Packet[]) => Uint8Array {
  const encrypt = keys.cipher()
  const macKey = hmacKey(keys.mac)
  return (packets) => {
    const burst = packets.map(({ flags, payload }) => ({ flags, payload, total: payload.length }))
    const size = burst.reduce((sum, { total }) => sum + packetOverhead + total, 0)
    for (const length of paddingPackets(size, sampleLength())) {
      burst.push({ flags: packetFlag.payload, payload: new Uint8Array(), total: length - packetOverhead })
    }
    return seal(burst, encrypt, macKey)
  }
}

/** Cuts application bytes into packets, each as long as it can be. */
export function payloadPackets(bytes: Uint8Array): Packet[] {
  const packets: Packet[] = []
  for (let at = 0; at < bytes.length; at += maxTotal) {
    packets.push({ flags: packetFlag.payload, payload: bytes.subarray(at, at + maxTotal) })
  }
  return packets
}

/** Returns the lengths of the packets of padding that make the last segment of a burst of `size` bytes `target` bytes long. */
export function paddingPackets(size: number, target: number): number[] {
  const tail = size % segmentLength
  let length = target - tail + (target < tail ? segmentLength : 0)
  if (length < packetOverhead) length += segmentLength
  return length <= segmentLength ? [length] : [splitPadding, length - splitPadding]
}

interface SealedPacket extends Packet {
  readonly total: number
}

/** Encrypts the whole burst by one pass of the cipher, as a pass for each packet would cost more than the encryption itself. */
function seal(burst: readonly SealedPacket[], encrypt: (bytes: Uint8Array) => Buffer, macKey: HmacKey): Buffer {
  const plain = Buffer.alloc(burst.reduce((sum, { total }) => sum + headLength + total, 0))
  let at = 0
  for (const { flags, payload, total } of burst) {
    plain.writeUInt16BE(total, at)
    plain.writeUInt16BE(payload.length, at + 2)
    plain.writeUInt8(flags, at + 4)
    plain.set(payload, at + headLength)
    at += headLength + total
  }
  const cipher = encrypt(plain)
  const parts: Buffer[] = []
  at = 0
  for (const { total } of burst) {
    const body = cipher.subarray(at, (at += headLength + total))
    parts.push(hmac16(macKey, body), body)
  }
  return Buffer.concat(parts)
}

/** Decrypts packets out of chunks of any size. A generator throws PT_FRAME after the last packet that was right. */
export interface PacketReader {
  read(chunk: Uint8Array): Generator<Packet>
  /** Says that the peer has sent its last byte. Throws PT_FRAME in the middle of a packet. */
  end(): void
}

interface Head {
  readonly total: number
  readonly payload: number
  readonly flags: number
  readonly valid: boolean
}

export function packetReader(keys: DirectionKeys): PacketReader {
  const decrypt = keys.cipher()
  const macKey = hmacKey(keys.mac)
  let held = Buffer.alloc(0)
  let head: Head | undefined
  return {
    *read(chunk) {
      held = Buffer.concat([held, chunk])
      for (;;) {
        if (head === undefined && held.length >= packetOverhead) {
          head = readHead(decrypt(held.subarray(macLength, packetOverhead)))
        }
        if (head === undefined || held.length < packetOverhead + head.total) break
        const packet = held.subarray(0, packetOverhead + head.total)
        held = held.subarray(packet.length)
        const mac = hmac16(macKey, packet.subarray(macLength))
        if (!equalBytes(mac, packet.subarray(0, macLength)) || !head.valid) throw changed()
        const { flags, payload } = head
        head = undefined
        yield { flags, payload: decrypt(packet.subarray(packetOverhead)).subarray(0, payload) }
      }
      // It is a copy, so that a few bytes do not keep the whole chunk in memory.
      held = Buffer.from(held)
    },
    end() {
      if (held.length > 0) throw new PtError('PT_FRAME', 'the connection ended in the middle of a scramblesuit packet')
    },
  }
}

/**
 * The header is not authenticated before the rest of its packet is there. A length that cannot be is therefore replaced by a
 * random one, and fails as a wrong MAC would: an attacker who changes bits does not learn from the moment of the close which of the two it was.
 */
function readHead(bytes: Buffer): Head {
  const [total, payload, flags] = [bytes.readUInt16BE(0), bytes.readUInt16BE(2), bytes.readUInt8(4)]
  if (total > maxTotal) return { total: randomInt(maxTotal + 1), payload: 0, flags, valid: false }
  return { total, payload, flags, valid: payload <= total }
}

function changed(): PtError {
  return new PtError('PT_FRAME', 'a scramblesuit packet is malformed: it was changed on the way, or the keys differ')
}

/** Makes the codec of a session; `control` is given the packets that are not payload, and throws if there may be none. */
export function packetCodec(
  write: (packets: readonly Packet[]) => Uint8Array,
  reader: PacketReader,
  control: (packet: Packet) => void,
): Codec {
  return withDirect({
    encode: (payload) => (payload.length === 0 ? payload : write(payloadPackets(payload))),
    *decode(chunk) {
      // There is one payload for each chunk and not for each packet: the application would write every piece by itself.
      const payloads: Uint8Array[] = []
      let failure: Error | undefined
      try {
        for (const packet of reader.read(chunk)) {
          if (packet.flags === packetFlag.payload) payloads.push(packet.payload)
          else control(packet)
        }
      } catch (error) {
        failure = error as Error
      }
      yield Buffer.concat(payloads)
      if (failure !== undefined) throw failure
    },
    end: () => reader.end(),
  })
}
