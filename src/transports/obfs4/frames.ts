/**
 * Frames and the packets in them, by the kernel of this process; src/crypto/kernel/kernel.ts has their picture.
 */
import { frameKernel } from '../../crypto/frame-kernel.ts'
import type { FrameKernel, Opened, Opening, Sealing, TakePacket } from '../../crypto/kernel/kernel.ts'
import { frameError } from '../../crypto/kernel/kernel.ts'
import { maxInput } from '../../crypto/kernel/simd.ts'
import type { PtError } from '../../error.ts'
import { directionKeysLength } from './constants.ts'

export const packetTypes = { payload: 0, seed: 1 } as const

export interface Packet {
  readonly type: number
  readonly payload: Buffer
}

export class FrameSealer {
  readonly #sealing: Sealing

  /** `material`: 72 bytes. */
  constructor(material: Uint8Array, kernel: FrameKernel = frameKernel()) {
    this.#sealing = kernel.sealing(requireKeys(material))
  }

  /** The next frame: `payload` and `padding` zeros behind it, together at most 1427 bytes. */
  seal(type: number, payload: Uint8Array, padding: number): Buffer {
    return this.#sealing.frame(type, payload, padding)
  }

  /** The frames of any payload, and behind them one without payload for each of `paddings`. */
  burst(payload: Uint8Array, paddings: readonly number[]): Buffer {
    return Buffer.from(this.burstView(payload, paddings))
  }

  /** The same as a view of the kernel's memory. */
  burstView(payload: Uint8Array, paddings: readonly number[]): Buffer {
    return this.#sealing.burst(payload, paddings)
  }
}

export class FrameOpener {
  readonly #opening: Opening
  #held: Buffer = Buffer.alloc(0)
  #failure: PtError | undefined

  /** `material`: 72 bytes. `randomInt`: 0 to n-1, secure. */
  constructor(material: Uint8Array, randomInt: (n: number) => number, kernel: FrameKernel = frameKernel()) {
    this.#opening = kernel.opening(requireKeys(material), randomInt)
  }

  /** True in the middle of a frame. */
  get pending(): boolean {
    return this.#held.length > 0
  }

  /** Takes bytes in any chunking and gives the packets that they complete. Throws PT_FRAME behind the last good one. */
  *open(chunk: Uint8Array): Generator<Packet, void, undefined> {
    for (const part of parts(chunk)) {
      const packets: Packet[] = []
      this.#open(part, (type, payload) => packets.push({ type, payload }), true)
      yield* packets
      if (this.#failure !== undefined) throw this.#failure
    }
  }

  /** The same, with all payloads as one; `take` is given the other packets. */
  *payloads(chunk: Uint8Array, take: TakePacket): Generator<Buffer, void, undefined> {
    for (const view of this.payloadViews(chunk, take)) yield Buffer.from(view)
  }

  /** The same as views of the kernel's memory. */
  *payloadViews(chunk: Uint8Array, take: TakePacket): Generator<Buffer, void, undefined> {
    for (const part of parts(chunk)) {
      const { payload } = this.#open(part, take, false)
      if (payload.length > 0) yield payload
      if (this.#failure !== undefined) throw this.#failure
    }
  }

  #open(chunk: Uint8Array, take: TakePacket, each: boolean): Opened {
    // Nothing opens any more once one frame did not.
    if (this.#failure !== undefined) throw this.#failure
    const opened = this.#opening.open(this.#held, chunk, take, each)
    this.#held = opened.rest
    if (opened.failure !== undefined) this.#failure = frameError(opened.failure)
    return opened
  }
}

function requireKeys(material: Uint8Array): Uint8Array {
  if (material.length !== directionKeysLength) throw new RangeError(`not ${directionKeysLength} bytes of keys`)
  return material
}

/** A chunk as a kernel can take it; always one at least, as an error shows even where nothing came. */
function* parts(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
  if (chunk.length <= maxInput) yield chunk
  else for (let at = 0; at < chunk.length; at += maxInput) yield chunk.subarray(at, at + maxInput)
}
