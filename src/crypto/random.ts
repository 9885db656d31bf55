/**
 * Secure random bytes in small pieces. A call of node:crypto costs 7 µs however few bytes it is for, and a buffer of its own;
 * so they are drawn for many pieces at once.
 */
import { randomFillSync } from 'node:crypto'

const blockLength = 65_536

let block: Buffer = Buffer.alloc(0)
let used = 0

/**
 * Returns `length` bytes that no other caller gets: each byte of a block is given out once, and a block is never filled again. The rest of a
 * block shares the same ArrayBuffer, so a piece must not leave the process by its `buffer`.
 */
export function randomPiece(length: number): Buffer {
  if (length > blockLength) return randomFillSync(Buffer.allocUnsafeSlow(length))
  if (used + length > block.length) {
    block = randomFillSync(Buffer.allocUnsafeSlow(blockLength))
    used = 0
  }
  used += length
  return block.subarray(used - length, used)
}
