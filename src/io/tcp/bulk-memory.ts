/**
 * Memory for connections that carry much and have no codec: each has a piece of its own, so that a read can be written as it lies,
 * also if the system takes it later. In shared memory the next read of another connection would overwrite it.
 */
import { lend, READ_LENGTH } from './read-memory.ts'

/** There are at most so many pieces, four megabytes in all. Connections beyond them copy what they read. */
const MOST = 64

export class BulkMemory {
  readonly #most: number
  readonly #free: Uint8Array[] = []
  #made = 0

  constructor(most: number = MOST) {
    this.#most = most
  }

  /** A piece for one reader; undefined if there are too many. */
  take(): Uint8Array | undefined {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#made >= this.#most) return undefined
    this.#made++
    return lend(Buffer.allocUnsafeSlow(READ_LENGTH))
  }

  /** Takes a piece back. If it is `inUse`, a write that was cut off may still refer to it, and it is never used again. */
  giveBack(memory: Uint8Array, inUse: boolean): void {
    if (inUse) this.#made--
    else this.#free.push(memory)
  }

  /** How many pieces are with readers. */
  get taken(): number {
    return this.#made - this.#free.length
  }
}

/** The pieces of this process. */
export const bulkMemory: BulkMemory = new BulkMemory()
