/**
 * Pauses: iat-mode 1 sends a padded burst in frame-sized pieces, iat-mode 2 in pieces of random length, each with a pause
 * after it. The next write waits until the last piece has gone.
 *
 *     mode 1   burst and padding ── 1448 ‖ 1448 ‖ … ‖ rest ‖
 *     mode 2   burst ── t1 ‖ t2 ‖ … ‖ rest, padded to tn ‖
 */
import { maxFrameLength, pauseUnit } from './constants.ts'
import type { Machine } from './machine.ts'
import type { Shape } from './shape.ts'

/** Zeros in a row that are skipped, and attempts at padding one burst. */
const maxAttempts = 16

/**
 * Cuts `burst` for iat-mode 2. `pad` gives the bytes that bring a burst of a length to a target. A peer chooses the seed that
 * targets follow from, so nothing here goes on for as long as it likes: from some seeds come zeros only, or targets that
 * padding misses each time.
 */
export function* randomPieces(
  burst: Buffer,
  sample: () => number,
  pad: (length: number, target: number) => Buffer,
): Generator<Buffer, void, undefined> {
  let rest = burst
  let padded = 0
  while (rest.length > 0) {
    const target = nonZero(sample)
    if (rest.length < target && padded++ < maxAttempts) {
      rest = Buffer.concat([rest, pad(rest.length, target)])
      // Padding may have gone beyond the target: then the burst is cut again.
      if (rest.length !== target) continue
    }
    yield rest.subarray(0, target)
    rest = rest.subarray(target)
  }
}

/** The reference ends its whole process on a 0. A pause without bytes would be of no use either. */
function nonZero(sample: () => number): number {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const target = sample()
    if (target > 0) return target
  }
  return maxFrameLength
}

/** Cuts `burst` for iat-mode 1. */
export function* framePieces(burst: Buffer): Generator<Buffer, void, undefined> {
  for (let at = 0; at < burst.length; at += maxFrameLength) yield burst.subarray(at, at + maxFrameLength)
}

/**
 * Sleeps for the time that `shape` gives. The reference's sleep ends when a whole number of milliseconds is over, as its runtime
 * waits for the network in those: 0 is no pause at all, 0.1 ms takes one millisecond, and 3.4 ms take four. Ours does the same.
 */
export function pauses({ sleep, uptime }: Machine): (shape: Shape) => Promise<void> {
  return async (shape) => {
    const wanted = (shape.pause() * pauseUnit) / 1_000
    if (wanted === 0) return
    const end = uptime() + wanted
    await sleep(Math.ceil(wanted))
    // Node's timers count from the beginning of a turn of the event loop, and may be over too soon.
    while (uptime() < end) await sleep(1)
  }
}
