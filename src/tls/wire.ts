/**
 * Reading and writing the presentation language of RFC 8446, section 3: big-endian numbers, and vectors with their length before
 * them.
 */
import { TlsFault } from './alert.ts'

/** Reads the fields of one message in their order. A read past the end of the message is a decode_error. */
export class Reader {
  readonly #bytes: Buffer
  readonly #what: string
  #at = 0

  /** `what` names the message in errors. */
  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes
    this.#what = what
  }

  /** How many bytes have not been read. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    return this.#number(1)
  }

  u16(): number {
    return this.#number(2)
  }

  u24(): number {
    return this.#number(3)
  }

  u32(): number {
    return this.#number(4)
  }

  bytes(length: number): Buffer {
    if (length > this.left) throw this.malformed('it is shorter than it says')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** A vector whose length takes `lengthBytes` bytes; it has to hold at least `least` bytes. */
  vector(lengthBytes: 1 | 2 | 3, least = 0): Buffer {
    const length = this.#number(lengthBytes)
    if (length < least) throw this.malformed('a list in it is too short')
    return this.bytes(length)
  }

  /** The same as a Reader of its own. */
  list(lengthBytes: 1 | 2 | 3, least = 0): Reader {
    return new Reader(this.vector(lengthBytes, least), this.#what)
  }

  /** Every number of two bytes that is left. */
  u16s(): number[] {
    const numbers: number[] = []
    while (this.left > 0) numbers.push(this.u16())
    return numbers
  }

  /** Has to be called after the last field: a surplus is a decode_error. */
  end(): void {
    if (this.left > 0) throw this.malformed('there are bytes after its end')
  }

  malformed(why: string): TlsFault {
    return new TlsFault('decode_error', `the server sent a malformed ${this.#what}: ${why}`)
  }

  #number(length: number): number {
    const bytes = this.bytes(length)
    return bytes.readUIntBE(0, length)
  }
}

/** `value` in `length` bytes. */
export function uint(value: number, length: 1 | 2 | 3 | 4): Buffer {
  const bytes = Buffer.alloc(length)
  bytes.writeUIntBE(value, 0, length)
  return bytes
}

export function u8(value: number): Buffer {
  return uint(value, 1)
}

export function u16(value: number): Buffer {
  return uint(value, 2)
}

/** A vector: the length of `parts` in `lengthBytes` bytes, and then `parts`. */
export function vector(lengthBytes: 1 | 2 | 3, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([uint(length, lengthBytes), ...parts])
}
