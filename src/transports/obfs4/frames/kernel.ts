/**
 * What a kernel has to do: it seals and opens obfs4's frames. There are two, which give the same bytes.
 *
 *     simd     WebAssembly, some 900 MB/s a core
 *     plain    JavaScript, some 50 MB/s a core; it is used if WebAssembly or its vector instructions are missing
 *
 *     frame    length (2), masked | box: tag (16), ciphertext
 *     packet   type (1) | length of the payload (2) | payload | padding, zeros
 *
 * A length is masked by the first two bytes of the next block of the direction's generator, and a box's nonce is the
 * direction's prefix (16) and a counter (8) that starts at 1: bytes that were lost, repeated or reordered never open.
 */
import { PtError } from '../../../error.ts'
import { maxBoxLength, minBoxLength } from './sizes.ts'

export interface FrameKernel {
  readonly name: 'simd' | 'plain'
  readonly memory: KernelMemory
  /** Begins a direction that seals under `keys` (72 bytes). */
  sealing(keys: Uint8Array): Sealing
  /** Begins a direction that opens under `keys` (72 bytes). `randomInt` gives 0 to n-1 and is secure. */
  opening(keys: Uint8Array, randomInt: (n: number) => number): Opening
}

/** Memory that all connections of the process work in, each for the length of one call. */
export interface KernelMemory {
  /** Bytes that lie here when they are given to burst() or open() need not be copied. */
  readonly input: Uint8Array
  /**
   * A kernel has this if burst() and open() give views, which the next call of any connection overwrites. It keeps the last
   * view as it is, until the function that it returns is called.
   */
  hold?(): () => void
}

/** One direction of a connection. It throws PT_FRAME once its nonces are used up. */
export interface Sealing {
  /** Gives the next frame: `payload`, followed by `padding` zeros, together at most 1427 bytes. */
  frame(type: number, payload: Uint8Array, padding: number): Buffer
  /** Gives the frames of `payload`, followed by one frame without payload for each of `paddings`. The result may be a view. */
  burst(payload: Uint8Array, paddings: readonly number[]): Buffer
}

export type TakePacket = (type: number, payload: Buffer) => void

export interface Opening {
  /**
   * Opens the complete frames in `held` followed by `chunk`. `take` is given each packet that is no payload; with `each`, it is
   * given every packet. After a failure this must not be called again.
   */
  open(held: Uint8Array, chunk: Uint8Array, take: TakePacket, each: boolean): Opened
}

export interface Opened {
  /** All payloads except those that `take` was given. It may be a view. */
  readonly payload: Buffer
  /** A copy of the beginning of a frame that is not complete. */
  readonly rest: Buffer
  /** Why the bytes after these payloads can never be opened. */
  readonly failure?: FrameFailure | undefined
}

export type FrameFailure = 'altered' | 'no-header' | 'too-long' | 'used-up'

const messages: Readonly<Record<FrameFailure, string>> = {
  altered: 'a frame was altered on the way, or is out of order',
  'no-header': 'a packet is shorter than its header',
  'too-long': 'the payload of a packet is longer than the packet',
  'used-up': 'the nonces of a connection are used up',
}

export function frameError(failure: FrameFailure): PtError {
  return new PtError('PT_FRAME', messages[failure])
}

/**
 * A length that is not possible is replaced by a random one that is, and the box of that length then fails to open: the moment
 * when the connection ends must not tell an attacker, who changed a length, what the length was.
 */
export function forgedBoxLength(randomInt: (n: number) => number): number {
  return minBoxLength + randomInt(maxBoxLength - minBoxLength + 1)
}

export const nothing: Buffer = Buffer.alloc(0)
