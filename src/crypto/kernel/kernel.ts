/**
 * What seals and opens obfs4's frames: two kernels that give the same bytes.
 *
 *     simd     WebAssembly, some 900 MB/s a core
 *     plain    JavaScript, some 50 MB/s a core; where WebAssembly or its vectors are missing
 *
 *     frame    length (2), masked | box: tag (16), ciphertext
 *     packet   type (1) | length of the payload (2) | payload | padding, zeros
 *
 * A length is masked by the first two bytes of the next block of the direction's generator, and a box's nonce is the
 * direction's prefix (16) and a counter (8) from 1 on: bytes that were lost, repeated or reordered never open.
 */
import { PtError } from '../../error.ts'
import { maxBoxLength, minBoxLength } from './sizes.ts'

export interface FrameKernel {
  readonly name: 'simd' | 'plain'
  readonly memory: KernelMemory
  /** What seals under `keys` (72 bytes). */
  sealing(keys: Uint8Array): Sealing
  /** What opens under `keys` (72 bytes). `randomInt`: 0 to n-1, secure. */
  opening(keys: Uint8Array, randomInt: (n: number) => number): Opening
}

/** What bytes lie in that all connections of the process work on, each for the length of one call. */
export interface KernelMemory {
  /** What lies here when burst() or open() is given it need not be copied. */
  readonly input: Uint8Array
  /**
   * Present where burst() and open() give views, which the next call of any connection overwrites. Keeps what was given
   * last, until the function that it returns is called.
   */
  hold?(): () => void
}

/** One direction of a connection. Throws PT_FRAME once its nonces are used up. */
export interface Sealing {
  /** The next frame: `payload` and `padding` zeros behind it, together at most 1427 bytes. */
  frame(type: number, payload: Uint8Array, padding: number): Buffer
  /** The frames of `payload`, and behind them one without payload for each of `paddings`. May be a view. */
  burst(payload: Uint8Array, paddings: readonly number[]): Buffer
}

export type TakePacket = (type: number, payload: Buffer) => void

export interface Opening {
  /**
   * Opens the whole frames in `held` and `chunk` behind it. Gives `take` each packet that is no payload, or with `each` all
   * packets. Not to be called any more after a failure.
   */
  open(held: Uint8Array, chunk: Uint8Array, take: TakePacket, each: boolean): Opened
}

export interface Opened {
  /** All payloads, but for those that `take` was given. May be a view. */
  readonly payload: Buffer
  /** The beginning of a frame that is not whole; a copy. */
  readonly rest: Buffer
  /** Why what is behind these payloads can never be opened. */
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
 * A length that cannot be is replaced by a random one that can, and the box of that length then fails: an attacker who
 * changed a length must not see from when the connection ends what it was.
 */
export function forgedBoxLength(randomInt: (n: number) => number): number {
  return minBoxLength + randomInt(maxBoxLength - minBoxLength + 1)
}

export const nothing: Buffer = Buffer.alloc(0)
