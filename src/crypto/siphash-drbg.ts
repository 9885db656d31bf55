/**
 * The deterministic generator of obfs4 and scramblesuit: SipHash-2-4 in output feedback, as its peers really run it. The
 * hash is never reset, so that block n is the hash of everything fed so far:
 *
 *     seed     key (16) | B(0) (8)
 *     B(n)     SipHash-2-4(key, B(0) | B(1) | … | B(n-1)), 8 bytes little-endian
 *
 * 64-bit words are pairs of 32-bit integers: as BigInt this would cost more than the frames whose lengths it masks.
 */

export const drbgSeedLength = 24

export class SipHashDrbg {
  /** v0 to v3 after the words fed so far; each as its low and its high half. */
  readonly #state = new Int32Array(8)
  readonly #scratch = new Int32Array(8)
  /** The last block. */
  #low: number
  #high: number
  #words = 0

  /** `seed` is 24 bytes. */
  constructor(seed: Uint8Array) {
    if (seed.length !== drbgSeedLength) throw new RangeError(`a DRBG seed has ${drbgSeedLength} bytes`)
    const view = new DataView(seed.buffer, seed.byteOffset, seed.byteLength)
    const word = (at: number): number => view.getInt32(at, true)
    // The initial state of SipHash: its four constants, XORed with the key.
    this.#state.set([
      word(0) ^ 0x70736575,
      word(4) ^ 0x736f6d65,
      word(8) ^ 0x6e646f6d,
      word(12) ^ 0x646f7261,
      word(0) ^ 0x6e657261,
      word(4) ^ 0x6c796765,
      word(8) ^ 0x79746573,
      word(12) ^ 0x74656462,
    ])
    this.#low = word(16)
    this.#high = word(20)
  }

  /** Steps to the next block. */
  #next(): void {
    this.#words = (this.#words + 1) & 0x1f
    compress(this.#state, this.#low, this.#high)
    const final = this.#scratch
    final.set(this.#state)
    // The last word holds nothing but the length in bytes modulo 256, in its highest byte.
    compress(final, 0, this.#words << 27)
    final[4]! ^= 0xff
    sipRounds(final, 4)
    this.#low = final[0]! ^ final[2]! ^ final[4]! ^ final[6]!
    this.#high = final[1]! ^ final[3]! ^ final[5]! ^ final[7]!
  }

  /** The next block, 8 bytes. */
  block(): Uint8Array {
    this.#next()
    const bytes = new Uint8Array(8)
    const view = new DataView(bytes.buffer)
    view.setInt32(0, this.#low, true)
    view.setInt32(4, this.#high, true)
    return bytes
  }

  /** The first two bytes of the next block, big-endian: the mask of a frame's length. */
  mask(): number {
    this.#next()
    return ((this.#low & 0xff) << 8) | ((this.#low >>> 8) & 0xff)
  }

  /** The next block as Go's Int63 reads it: big-endian, without the sign bit; as its upper 31 bits and its lower 32. */
  int63(): { readonly upper: number; readonly lower: number } {
    this.#next()
    return { upper: byteSwapped(this.#low) & 0x7fffffff, lower: byteSwapped(this.#high) >>> 0 }
  }
}

function byteSwapped(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}

/** Feeds one word: two rounds. */
function compress(v: Int32Array, low: number, high: number): void {
  v[6]! ^= low
  v[7]! ^= high
  sipRounds(v, 2)
  v[0]! ^= low
  v[1]! ^= high
}

/** The carry out of sum = a + b, modulo 2^32. In integers: a sum as a double would cost twice. */
function carry(a: number, b: number, sum: number): number {
  return ((a & b) | ((a | b) & ~sum)) >>> 31
}

/** SipRounds on v0 = (v[0], v[1]) to v3 = (v[6], v[7]), low half first; in local variables, as calls would cost twice. */
function sipRounds(v: Int32Array, rounds: number): void {
  let l0 = v[0]!
  let h0 = v[1]!
  let l1 = v[2]!
  let h1 = v[3]!
  let l2 = v[4]!
  let h2 = v[5]!
  let l3 = v[6]!
  let h3 = v[7]!
  for (let round = 0; round < rounds; round++) {
    // v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32)
    let sum = (l0 + l1) | 0
    h0 = (h0 + h1 + carry(l0, l1, sum)) | 0
    l0 = sum
    let t = ((l1 << 13) | (h1 >>> 19)) ^ l0
    h1 = ((h1 << 13) | (l1 >>> 19)) ^ h0
    l1 = t
    t = l0
    l0 = h0
    h0 = t
    // v2 += v3; v3 = rotl(v3, 16) ^ v2
    sum = (l2 + l3) | 0
    h2 = (h2 + h3 + carry(l2, l3, sum)) | 0
    l2 = sum
    t = ((l3 << 16) | (h3 >>> 16)) ^ l2
    h3 = ((h3 << 16) | (l3 >>> 16)) ^ h2
    l3 = t
    // v0 += v3; v3 = rotl(v3, 21) ^ v0
    sum = (l0 + l3) | 0
    h0 = (h0 + h3 + carry(l0, l3, sum)) | 0
    l0 = sum
    t = ((l3 << 21) | (h3 >>> 11)) ^ l0
    h3 = ((h3 << 21) | (l3 >>> 11)) ^ h0
    l3 = t
    // v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32)
    sum = (l2 + l1) | 0
    h2 = (h2 + h1 + carry(l2, l1, sum)) | 0
    l2 = sum
    t = ((l1 << 17) | (h1 >>> 15)) ^ l2
    h1 = ((h1 << 17) | (l1 >>> 15)) ^ h2
    l1 = t
    t = l2
    l2 = h2
    h2 = t
  }
  v[0] = l0
  v[1] = h0
  v[2] = l1
  v[3] = h1
  v[4] = l2
  v[5] = h2
  v[6] = l3
  v[7] = h3
}
