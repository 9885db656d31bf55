/**
 * What obfs4 takes from the machine it runs on, so that tests can hold it still.
 */
import { randomInt } from 'node:crypto'
import { frameKernel } from './frames.ts'
import type { FrameKernel } from './frames/kernel.ts'
import { randomPiece } from '../../crypto/random.ts'
import { delay } from '../../io/wait/deadline.ts'

export interface Machine {
  /** The wall clock, in ms since 1970: handshakes are good for an hour. */
  readonly now: () => number
  /** A clock in ms that is never set back. */
  readonly uptime: () => number
  /** Secure randomness. */
  readonly randomBytes: (length: number) => Uint8Array
  /** 0 to n-1, secure. */
  readonly randomInt: (n: number) => number
  /** Waits for a number of ms: the pauses of iat-mode 1 and 2. */
  readonly sleep: (ms: number) => Promise<void>
  /** What seals and opens frames. */
  readonly frameKernel: () => FrameKernel
}

export const systemMachine: Machine = {
  now: () => Date.now(),
  uptime: () => performance.now(),
  randomBytes: randomPiece,
  randomInt: (n) => randomInt(n),
  sleep: delay,
  frameKernel,
}
