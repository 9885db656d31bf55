/**
 * The kernel in JavaScript. It takes one frame after the other, as the protocol describes it.
 */
import { openBox, sealBox } from '../../../crypto/secretbox.ts'
import { SipHashDrbg } from '../../../crypto/siphash-drbg.ts'
import type { FrameFailure, FrameKernel, KernelMemory, Opened, Opening, Sealing, TakePacket } from './kernel.ts'
import { forgedBoxLength, frameError, nothing } from './kernel.ts'
import {
  boxKeyLength,
  frameLengthLength,
  maxBoxLength,
  maxPacketPayload,
  minBoxLength,
  noncePrefixLength,
  packetHeaderLength,
} from './sizes.ts'

/** How many bytes are read at a time: a hundred packets are work enough for one turn. */
const inputLength = 100 * maxPacketPayload

let memory: KernelMemory | undefined

export const plainKernel: FrameKernel = {
  name: 'plain',
  get memory() {
    return (memory ??= { input: Buffer.alloc(inputLength) })
  },
  sealing: (keys) => new PlainSealing(keys),
  opening: (keys, randomInt) => new PlainOpening(keys, randomInt),
}

/** The state of one direction. */
class Direction {
  readonly key: Uint8Array
  readonly lengths: SipHashDrbg
  readonly #nonce: Buffer
  #counter = 0

  constructor(keys: Uint8Array) {
    const prefixEnd = boxKeyLength + noncePrefixLength
    this.key = keys.slice(0, boxKeyLength)
    this.#nonce = Buffer.concat([keys.subarray(boxKeyLength, prefixEnd), Buffer.alloc(8)])
    this.lengths = new SipHashDrbg(keys.subarray(prefixEnd))
  }

  /** Gives the nonce of the next box. The call after this one overwrites it. */
  nextNonce(): Buffer {
    // The counter on the wire is wider and must not wrap. A JavaScript number ends before it does, after 13 exabytes.
    if (this.#counter >= Number.MAX_SAFE_INTEGER) throw frameError('used-up')
    this.#counter++
    this.#nonce.writeUInt32BE(Math.floor(this.#counter / 2 ** 32), noncePrefixLength)
    this.#nonce.writeUInt32BE(this.#counter >>> 0, noncePrefixLength + 4)
    return this.#nonce
  }
}

class PlainSealing implements Sealing {
  readonly #direction: Direction

  constructor(keys: Uint8Array) {
    this.#direction = new Direction(keys)
  }

  frame(type: number, payload: Uint8Array, padding: number): Buffer {
    const packet = Buffer.alloc(packetHeaderLength + payload.length + padding)
    packet[0] = type
    packet.writeUInt16BE(payload.length, 1)
    packet.set(payload, packetHeaderLength)
    const box = sealBox(this.#direction.key, this.#direction.nextNonce(), packet)
    const frame = Buffer.allocUnsafe(frameLengthLength + box.length)
    frame.writeUInt16BE(box.length ^ this.#direction.lengths.mask())
    frame.set(box, frameLengthLength)
    return frame
  }

  burst(payload: Uint8Array, paddings: readonly number[]): Buffer {
    const frames: Buffer[] = []
    for (let at = 0; at < payload.length; at += maxPacketPayload) {
      frames.push(this.frame(0, payload.subarray(at, at + maxPacketPayload), 0))
    }
    for (const padding of paddings) frames.push(this.frame(0, nothing, padding))
    return Buffer.concat(frames)
  }
}

class PlainOpening implements Opening {
  readonly #direction: Direction
  readonly #randomInt: (n: number) => number
  /** The length of the box that is being read; undefined until the length has come. */
  #boxLength: number | undefined
  /** True if the length that came was not possible. */
  #forged = false

  constructor(keys: Uint8Array, randomInt: (n: number) => number) {
    this.#direction = new Direction(keys)
    this.#randomInt = randomInt
  }

  open(held: Uint8Array, chunk: Uint8Array, take: TakePacket, each: boolean): Opened {
    const bytes = Buffer.concat([held, chunk])
    const payloads: Buffer[] = []
    let failure: FrameFailure | undefined
    let at = 0
    while (bytes.length - at >= frameLengthLength) {
      this.#boxLength ??= this.#unmask(bytes.readUInt16BE(at))
      const end = at + frameLengthLength + this.#boxLength
      if (end > bytes.length) break
      const packet = this.#packet(bytes.subarray(at + frameLengthLength, end))
      if (typeof packet === 'string') {
        failure = packet
        break
      }
      if (each || packet.type !== 0) take(packet.type, packet.payload)
      else payloads.push(packet.payload)
      this.#boxLength = undefined
      at = end
    }
    return { payload: Buffer.concat(payloads), rest: Buffer.from(bytes.subarray(at)), failure }
  }

  #unmask(masked: number): number {
    const length = masked ^ this.#direction.lengths.mask()
    if (length >= minBoxLength && length <= maxBoxLength) return length
    this.#forged = true
    return forgedBoxLength(this.#randomInt)
  }

  #packet(box: Buffer): { readonly type: number; readonly payload: Buffer } | FrameFailure {
    const plain = openBox(this.#direction.key, this.#direction.nextNonce(), box)
    if (plain === undefined || this.#forged) return 'altered'
    if (plain.length < packetHeaderLength) return 'no-header'
    const packet = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength)
    const end = packetHeaderLength + packet.readUInt16BE(1)
    if (end > packet.length) return 'too-long'
    return { type: packet.readUInt8(0), payload: packet.subarray(packetHeaderLength, end) }
  }
}
