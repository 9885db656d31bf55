/** Writes an element of DER (X.690, section 8.1): its tag, its length in as few bytes as hold it, its contents. They are shorter than 64 KiB. */
export function derElement(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  const { length } = body
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...head), body])
}
