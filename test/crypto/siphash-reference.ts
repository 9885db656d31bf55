/** SipHash-2-4 of a whole message, as its paper writes it, with 64-bit integers. */
const mask = 2n ** 64n - 1n
const rotate = (a: bigint, bits: bigint): bigint => ((a << bits) | (a >> (64n - bits))) & mask

export function sipHash24(key: Uint8Array, message: Uint8Array): bigint {
  const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [k0, k1] = [view(key).getBigUint64(0, true), view(key).getBigUint64(8, true)]
  let v0 = k0 ^ 0x736f6d6570736575n
  let v1 = k1 ^ 0x646f72616e646f6dn
  let v2 = k0 ^ 0x6c7967656e657261n
  let v3 = k1 ^ 0x7465646279746573n
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i++) {
      v0 = (v0 + v1) & mask
      v1 = rotate(v1, 13n) ^ v0
      v0 = rotate(v0, 32n)
      v2 = (v2 + v3) & mask
      v3 = rotate(v3, 16n) ^ v2
      v0 = (v0 + v3) & mask
      v3 = rotate(v3, 21n) ^ v0
      v2 = (v2 + v1) & mask
      v1 = rotate(v1, 17n) ^ v2
      v2 = rotate(v2, 32n)
    }
  }
  const padded = new Uint8Array(Math.floor(message.length / 8) * 8 + 8)
  padded.set(message)
  padded[padded.length - 1] = message.length & 255
  for (let at = 0; at < padded.length; at += 8) {
    const word = view(padded).getBigUint64(at, true)
    v3 ^= word
    rounds(2)
    v0 ^= word
  }
  v2 ^= 0xffn
  rounds(4)
  return v0 ^ v1 ^ v2 ^ v3
}
