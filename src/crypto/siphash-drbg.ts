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
    for (let round = 0; round < 4; round++) sipRound(final)
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
  sipRound(v)
  sipRound(v)
  v[0]! ^= low
  v[1]! ^= high
}

/** One SipRound, on v0 = (v[0], v[1]) to v3 = (v[6], v[7]). */
function sipRound(v: Int32Array): void {
  addTo(v, 0, 2)
  rotate(v, 2, 13)
  xorTo(v, 2, 0)
  swap(v, 0)
  addTo(v, 4, 6)
  rotate(v, 6, 16)
  xorTo(v, 6, 4)
  addTo(v, 0, 6)
  rotate(v, 6, 21)
  xorTo(v, 6, 0)
  addTo(v, 4, 2)
  rotate(v, 2, 17)
  xorTo(v, 2, 4)
  swap(v, 4)
}

function addTo(v: Int32Array, a: number, b: number): void {
  const low = (v[a]! >>> 0) + (v[b]! >>> 0)
  v[a] = low
  v[a + 1] = v[a + 1]! + v[b + 1]! + (low > 0xffffffff ? 1 : 0)
}

function xorTo(v: Int32Array, a: number, b: number): void {
  v[a]! ^= v[b]!
  v[a + 1]! ^= v[b + 1]!
}

/** Rotates left by 1 to 31 bits. */
function rotate(v: Int32Array, a: number, bits: number): void {
  const [low, high] = [v[a]!, v[a + 1]!]
  v[a] = (low << bits) | (high >>> (32 - bits))
  v[a + 1] = (high << bits) | (low >>> (32 - bits))
}

/** Rotates by 32 bits. */
function swap(v: Int32Array, a: number): void {
  const low = v[a]!
  v[a] = v[a + 1]!
  v[a + 1] = low
}
