/**
 * Frames and the packets in them: bytes in, bytes out.
 *
 *     frame    length (2), masked | box: tag (16), ciphertext
 *     packet   type (1) | length of the payload (2) | payload | padding, zeros
 *
 * A length is masked by the first two bytes of the next block of the direction's generator, and a box's nonce is the
 * direction's prefix (16) and a counter (8) from 1 on: bytes that were lost, repeated or reordered never open.
 */
import { openBox, sealBox } from '../../crypto/secretbox.ts'
import { SipHashDrbg } from '../../crypto/siphash-drbg.ts'
import { PtError } from '../../error.ts'
import {
  boxKeyLength,
  directionKeysLength,
  frameLengthLength,
  maxBoxLength,
  minBoxLength,
  noncePrefixLength,
  packetHeaderLength,
} from './constants.ts'

export const packetTypes = { payload: 0, seed: 1 } as const

export interface Packet {
  readonly type: number
  readonly payload: Buffer
}

/** The keys of one direction, 72 bytes: box key, nonce prefix, seed of the length mask. */
class DirectionKeys {
  readonly key: Uint8Array
  readonly lengths: SipHashDrbg
  readonly #nonce: Buffer
  #counter = 0

  constructor(material: Uint8Array) {
    if (material.length !== directionKeysLength) throw new RangeError(`not ${directionKeysLength} bytes of keys`)
    const prefixEnd = boxKeyLength + noncePrefixLength
    this.key = material.subarray(0, boxKeyLength)
    this.#nonce = Buffer.concat([material.subarray(boxKeyLength, prefixEnd), Buffer.alloc(8)])
    this.lengths = new SipHashDrbg(material.subarray(prefixEnd))
  }

  /** The nonce of the next box; overwritten by the one after. */
  nextNonce(): Buffer {
    // The counter of the wire is wider, and must not wrap; a number ends before it, after 13 exabytes.
    if (this.#counter >= Number.MAX_SAFE_INTEGER)
      throw new PtError('PT_FRAME', 'the nonces of a connection are used up')
    this.#counter++
    this.#nonce.writeUInt32BE(Math.floor(this.#counter / 2 ** 32), noncePrefixLength)
    this.#nonce.writeUInt32BE(this.#counter >>> 0, noncePrefixLength + 4)
    return this.#nonce
  }
}

export class FrameSealer {
  readonly #keys: DirectionKeys

  /** `material`: 72 bytes. */
  constructor(material: Uint8Array) {
    this.#keys = new DirectionKeys(material)
  }

  /** The next frame: `payload` and `padding` zeros behind it, together at most 1427 bytes. */
  seal(type: number, payload: Uint8Array, padding: number): Buffer {
    const packet = Buffer.alloc(packetHeaderLength + payload.length + padding)
    packet[0] = type
    packet.writeUInt16BE(payload.length, 1)
    packet.set(payload, packetHeaderLength)
    const box = sealBox(this.#keys.key, this.#keys.nextNonce(), packet)
    const frame = Buffer.allocUnsafe(frameLengthLength + box.length)
    frame.writeUInt16BE(box.length ^ this.#keys.lengths.mask())
    frame.set(box, frameLengthLength)
    return frame
  }
}

export class FrameOpener {
  readonly #keys: DirectionKeys
  readonly #randomInt: (n: number) => number
  #held: Buffer = Buffer.alloc(0)
  /** Of the frame that is being read; undefined before its length has come. */
  #boxLength: number | undefined
  /** The length of that frame could not be. */
  #badLength = false
  #failure: PtError | undefined

  /** `material`: 72 bytes. `randomInt`: 0 to n-1, secure. */
  constructor(material: Uint8Array, randomInt: (n: number) => number) {
    this.#keys = new DirectionKeys(material)
    this.#randomInt = randomInt
  }

  /** True in the middle of a frame. */
  get pending(): boolean {
    return this.#held.length > 0 || this.#boxLength !== undefined
  }

  /** Takes bytes in any chunking and gives the packets that they complete. Throws PT_FRAME behind the last good one. */
  *open(chunk: Uint8Array): Generator<Packet, void, undefined> {
    if (this.#failure !== undefined) throw this.#failure
    const bytes = this.#held.length === 0 ? asBuffer(chunk) : Buffer.concat([this.#held, chunk])
    let at = 0
    for (;;) {
      if (this.#boxLength === undefined) {
        if (bytes.length - at < frameLengthLength) break
        this.#boxLength = this.#unmask(bytes.readUInt16BE(at))
        at += frameLengthLength
      }
      if (bytes.length - at < this.#boxLength) break
      const box = bytes.subarray(at, (at += this.#boxLength))
      this.#boxLength = undefined
      yield this.#packet(box)
    }
    // A copy, so that less than a frame does not hold on to a whole chunk.
    this.#held = Buffer.from(bytes.subarray(at))
  }

  /**
   * A length that cannot be is replaced by a random one that can, and the box of that length then fails: an attacker who
   * changed a length must not see from when the connection ends what it was.
   */
  #unmask(masked: number): number {
    const length = masked ^ this.#keys.lengths.mask()
    if (length >= minBoxLength && length <= maxBoxLength) return length
    this.#badLength = true
    return minBoxLength + this.#randomInt(maxBoxLength - minBoxLength + 1)
  }

  #packet(box: Buffer): Packet {
    const plain = openBox(this.#keys.key, this.#keys.nextNonce(), box)
    if (plain === undefined || this.#badLength) throw this.#fail('a frame was altered on the way, or is out of order')
    if (plain.length < packetHeaderLength) throw this.#fail('a packet is shorter than its header')
    const packet = asBuffer(plain)
    const end = packetHeaderLength + packet.readUInt16BE(1)
    if (end > packet.length) throw this.#fail('the payload of a packet is longer than the packet')
    return { type: packet.readUInt8(0), payload: packet.subarray(packetHeaderLength, end) }
  }

  /** Nothing opens any more once one frame did not. */
  #fail(message: string): PtError {
    return (this.#failure = new PtError('PT_FRAME', message))
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
