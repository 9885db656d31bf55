/** Changes of bytes that a seed decides, so that what failed can be tried again. */

/** Numbers from 0 up to, and without, `below`. */
export type Choose = (below: number) => number

/** mulberry32: a generator of 32 bits of state, which is as good as a test needs. */
export function chooser(seed: number): Choose {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** The seed of this run: of POSTERN_SEED, or a new one. */
export function seedOfRun(): number {
  const { POSTERN_SEED: given } = process.env
  return given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given)
}

/** `bytes` with one change; never the same bytes. */
export function mutated(bytes: Buffer, choose: Choose): Buffer {
  for (;;) {
    const changed = change(bytes, choose)
    if (!changed.equals(bytes)) return changed
  }
}

function change(bytes: Buffer, choose: Choose): Buffer {
  const at = choose(Math.max(1, bytes.length))
  const length = 1 + choose(8)
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
  const copy = Buffer.from(bytes)
  switch (choose(8)) {
    case 0:
    case 1:
      if (copy.length > 0) copy[at]! ^= 1 << choose(8)
      return copy
    case 2:
      if (copy.length > 0) copy[at] = choose(256)
      return copy
    case 3: // A length, most likely.
      if (at + 2 <= copy.length) copy.writeUInt16BE(choose(2) === 0 ? choose(65_536) : choose(40), at)
      return copy
    case 4:
      return Buffer.concat([before, after.subarray(length)])
    case 5:
      return Buffer.concat([before, Buffer.from(Array.from({ length }, () => choose(256))), after])
    case 6: // A part of it twice.
      return Buffer.concat([before, after.subarray(0, length), after])
    default:
      return Buffer.from(before)
  }
}
