/**
 * What obfs4 takes from the machine that it runs on: clocks, randomness, pauses, the kernel. Tests put their own in its place.
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
  /** Gives secure random bytes. */
  readonly randomBytes: (length: number) => Uint8Array
  /** Gives a secure random number from 0 to n-1. */
  readonly randomInt: (n: number) => number
  /** Waits for a number of ms, for the pauses of iat-mode 1 and 2. */
  readonly sleep: (ms: number) => Promise<void>
  /** Gives the kernel that seals and opens frames. */
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
