/** Compressed certificates (RFC 8879): zlib, brotli and zstd. None inflates beyond the length that is expected. */
import * as zlib from 'node:zlib'
import { decompress } from 'fzstd'

type Inflate = (data: Buffer, options: { maxOutputLength: number }) => Buffer

/** Node has zstd from 22.15 on. */
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: Inflate }

const byAlgorithm: Readonly<Record<number, Inflate>> = {
  1: zlib.inflateSync,
  2: zlib.brotliDecompressSync,
  3: zstdDecompressSync ?? inflateZstd,
}

/** `data` inflated, or undefined if it is malformed, would be longer than `length`, or is compressed in an unknown way. */
export function inflate(algorithm: number, data: Buffer, length: number): Buffer | undefined {
  try {
    return byAlgorithm[algorithm]?.(data, { maxOutputLength: length })
  } catch {
    return undefined
  }
}

/**
 * fzstd writes into memory of the expected length, so that a frame that claims a huge window costs nothing. It does not say if the
 * content had another length; what is read of it then is no certificate.
 */
function inflateZstd(data: Buffer, { maxOutputLength }: { maxOutputLength: number }): Buffer {
  return Buffer.from(decompress(data, Buffer.alloc(maxOutputLength)))
}
