/**
 * HSalsa20: the key of a connection's boxes, from its key and the first 16 bytes of its nonces, which are the same in all of them.
 */

/** "expand 32-byte k" */
const SIGMA: usize = memory.data<u32>([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574])
/** The operands a, b, c, d of the quarter-rounds: those of the columns, then those of the rows. */
const QUARTERS: usize = memory.data<u8>([
  0, 4, 8, 12, 5, 9, 13, 1, 10, 14, 2, 6, 15, 3, 7, 11, 0, 1, 2, 3, 5, 6, 7, 4, 10, 11, 8, 9, 15, 12, 13, 14,
])
const X: usize = memory.data(64, 16)

function word(i: u32): u32 {
  return load<u32>(X + (i << 2))
}

function step(b: u32, a: u32, d: u32, n: u32): void {
  store<u32>(X + (b << 2), word(b) ^ rotl<u32>(word(a) + word(d), n))
}

/** From `key` (32 bytes) and `prefix` (16) to `target` (32). */
export function hsalsa20(target: usize, key: usize, prefix: usize): void {
  for (let i: usize = 0; i < 16; i += 4) {
    store<u32>(X + 5 * i, load<u32>(SIGMA + i))
    store<u32>(X + i, load<u32>(key + i), 4)
    store<u32>(X + i, load<u32>(prefix + i), 24)
    store<u32>(X + i, load<u32>(key + i, 16), 44)
  }
  for (let doubleRound = 0; doubleRound < 10; doubleRound++) {
    for (let at = QUARTERS; at < QUARTERS + 32; at += 4) {
      const a = load<u8>(at)
      const b = load<u8>(at, 1)
      const c = load<u8>(at, 2)
      const d = load<u8>(at, 3)
      step(b, a, d, 7)
      step(c, b, a, 9)
      step(d, c, b, 13)
      step(a, d, c, 18)
    }
  }
  for (let i: usize = 0; i < 16; i += 4) {
    store<u32>(target + i, load<u32>(X + 5 * i))
    store<u32>(target + i, load<u32>(X + i, 24), 16)
  }
}
