/**
 * Frames and the packets in them. A kernel does the work (frames/kernel.ts has the picture of the bytes): this file chooses it, and
 * keeps for each direction of a connection what the kernel does not keep.
 */
import type { PtError } from '../../error.ts'
import { lend } from '../../io/tcp/read-memory.ts'
import { isPlain } from '../../plain.ts'
import { directionKeysLength } from './constants.ts'
import type { FrameKernel, Opened, Opening, Sealing, TakePacket } from './frames/kernel.ts'
import { frameError } from './frames/kernel.ts'
import { plainKernel } from './frames/plain.ts'
import { maxInput, simdKernel } from './frames/simd.ts'

let chosen: FrameKernel | undefined

/** The fastest kernel that this machine and this Node can run; in plain mode the one in JavaScript, over @noble/ciphers. The choice is made once in a process. */
export function frameKernel(): FrameKernel {
  if (chosen === undefined) {
    chosen = (isPlain() ? undefined : simdKernel()) ?? plainKernel
    // Only this transport holds the kernel's memory, so sockets may be read straight into it.
    lend(chosen.memory.input)
  }
  return chosen
}

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

  /** Gives the next frame: `payload`, followed by `padding` zeros, together at most 1427 bytes. */
  seal(type: number, payload: Uint8Array, padding: number): Buffer {
    return this.#sealing.frame(type, payload, padding)
  }

  /** Gives the frames of a payload of any length, followed by one frame without payload for each of `paddings`. */
  burst(payload: Uint8Array, paddings: readonly number[]): Buffer {
    return Buffer.from(this.burstView(payload, paddings))
  }

  /** Does what burst() does, and gives a view of the kernel's memory. */
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

  /** True if a frame has begun and is not complete. */
  get pending(): boolean {
    return this.#held.length > 0
  }

  /** Takes bytes in any chunking and gives the packets that they complete. Throws PT_FRAME after the last good one. */
  *open(chunk: Uint8Array): Generator<Packet, void, undefined> {
    for (const part of parts(chunk)) {
      const packets: Packet[] = []
      this.#open(part, (type, payload) => packets.push({ type, payload }), true)
      yield* packets
      if (this.#failure !== undefined) throw this.#failure
    }
  }

  /** Gives the payloads alone, several of them as one piece. `take` is given the packets of other types. */
  *payloads(chunk: Uint8Array, take: TakePacket): Generator<Buffer, void, undefined> {
    for (const view of this.payloadViews(chunk, take)) yield Buffer.from(view)
  }

  /** Does what payloads() does, and gives views of the kernel's memory. */
  *payloadViews(chunk: Uint8Array, take: TakePacket): Generator<Buffer, void, undefined> {
    for (const part of parts(chunk)) {
      const { payload } = this.#open(part, take, false)
      if (payload.length > 0) yield payload
      if (this.#failure !== undefined) throw this.#failure
    }
  }

  #open(chunk: Uint8Array, take: TakePacket, each: boolean): Opened {
    // After one frame that did not open, none is tried.
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

/** Cuts a chunk into parts that a kernel can take. There is always one, since an earlier failure is thrown even if no bytes came. */
function* parts(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
  if (chunk.length <= maxInput) yield chunk
  else for (let at = 0; at < chunk.length; at += maxInput) yield chunk.subarray(at, at + maxInput)
}
