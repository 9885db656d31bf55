/**
 * The generator of length masks: SipHash-2-4 in output feedback that is never reset. Block n is the hash of all blocks before.
 *
 *     state    v0 v1 v2 v3 (8 each) | last block (8) | blocks so far (8)
 */

export const DRBG_LENGTH: usize = 48

/** From `seed`: key (16) and first block (8). */
export function seedDrbg(state: usize, seed: usize): void {
  const k0 = load<u64>(seed)
  const k1 = load<u64>(seed, 8)
  store<u64>(state, k0 ^ 0x736f6d6570736575)
  store<u64>(state, k1 ^ 0x646f72616e646f6d, 8)
  store<u64>(state, k0 ^ 0x6c7967656e657261, 16)
  store<u64>(state, k1 ^ 0x7465646279746573, 24)
  store<u64>(state, load<u64>(seed, 16), 32)
  store<u64>(state, 0, 40)
}

/** Steps to the next block. */
export function nextBlock(state: usize): u64 {
  let v0 = load<u64>(state)
  let v1 = load<u64>(state, 8)
  let v2 = load<u64>(state, 16)
  let v3 = load<u64>(state, 24)
  const block = load<u64>(state, 32)
  const count = load<u64>(state, 40) + 1
  // The last word of the hash holds nothing but the length in bytes modulo 256, in its highest byte.
  const last = count << 59
  v3 ^= block
  for (let round = 0; round < 8; round++) {
    if (round == 2) {
      v0 ^= block
      store<u64>(state, v0)
      store<u64>(state, v1, 8)
      store<u64>(state, v2, 16)
      store<u64>(state, v3, 24)
      v3 ^= last
    } else if (round == 4) {
      v0 ^= last
      v2 ^= 0xff
    }
    v0 += v1
    v1 = rotl<u64>(v1, 13) ^ v0
    v0 = rotl<u64>(v0, 32)
    v2 += v3
    v3 = rotl<u64>(v3, 16) ^ v2
    v0 += v3
    v3 = rotl<u64>(v3, 21) ^ v0
    v2 += v1
    v1 = rotl<u64>(v1, 17) ^ v2
    v2 = rotl<u64>(v2, 32)
  }
  const next = v0 ^ v1 ^ v2 ^ v3
  store<u64>(state, next, 32)
  store<u64>(state, count, 40)
  return next
}
