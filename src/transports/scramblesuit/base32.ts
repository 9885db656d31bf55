/**
 * Base32 (RFC 4648, section 6), as passwords and stored tickets are written.
 *
 *     5 bytes → 8 of A-Z 2-7, the last group filled up with =
 */
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Writes base32 with its padding. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = ''
  let [bits, held] = [0, 0]
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet.charAt((held >> (bits - 5)) & 31)
  }
  if (bits > 0) text += alphabet.charAt((held << (5 - bits)) & 31)
  return text.padEnd(Math.ceil(text.length / 8) * 8, '=')
}

/** Reads base32, with or without its padding; undefined for any other text. Bits left over have to be zero. */
export function decodeBase32(text: string): Buffer | undefined {
  const digits = text.replace(/=*$/, '')
  const bytes: number[] = []
  let [bits, held] = [0, 0]
  for (const digit of digits) {
    const value = alphabet.indexOf(digit)
    if (value === -1) return undefined
    held = ((held << 5) | value) & 0xfff
    bits += 5
    if (bits >= 8) bytes.push((held >> (bits -= 8)) & 255)
  }
  const canonical = bits < 5 && (held & ((1 << bits) - 1)) === 0
  return canonical ? Buffer.from(bytes) : undefined
}
