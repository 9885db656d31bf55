/**
 * Reading DER (X.690, section 10): tag, length, value. It reads what X.509 has: tags of one byte and definite lengths in their
 * shortest form.
 */

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const

/** One value; `whole` has its tag and length too. */
export interface DerValue {
  readonly tag: number
  readonly value: Buffer
  readonly whole: Buffer
}

/** Reads values one after another. Every method throws an Error if the bytes are no DER or not what is asked for. */
export class DerReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  /** The tag of the next value, or undefined at the end. */
  get tag(): number | undefined {
    return this.#bytes[this.#at]
  }

  next(expected?: number): DerValue {
    const start = this.#at
    const tag = this.#byte()
    if ((tag & 0x1f) === 0x1f) throw malformed()
    if (expected !== undefined && tag !== expected) throw malformed()
    const length = this.#length()
    if (length > this.left) throw malformed()
    this.#at += length
    return {
      tag,
      value: this.#bytes.subarray(this.#at - length, this.#at),
      whole: this.#bytes.subarray(start, this.#at),
    }
  }

  /** A reader of what the next value holds. */
  inside(expected: number = tags.sequence): DerReader {
    return new DerReader(this.next(expected).value)
  }

  /** The next value if it has this tag, which leaves out what is optional. */
  optional(tag: number): DerValue | undefined {
    return this.tag === tag ? this.next() : undefined
  }

  oid(): string {
    return oidOf(this.next(tags.oid).value)
  }

  boolean(): boolean {
    const { value } = this.next(tags.boolean)
    if (value.length !== 1 || (value[0] !== 0 && value[0] !== 0xff)) throw malformed()
    return value[0] === 0xff
  }

  /** A number that is not negative and has at most 6 bytes. */
  integer(): number {
    const { value } = this.next(tags.integer)
    if (value.length === 0 || value.length > 6 || value[0]! > 0x7f) throw malformed()
    return value.readUIntBE(0, value.length)
  }

  /** The time of an UTCTime or a GeneralizedTime, in ms since 1970 (RFC 5280, section 4.1.2.5). */
  time(): number {
    const { tag, value } = this.next()
    const text = value.toString('latin1')
    const full = tag === tags.utcTime ? (text < '50' ? '20' : '19') + text : tag === tags.generalizedTime ? text : ''
    const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full)
    if (match === null) throw malformed()
    const [, year, month, day, hour, minute, second] = match
    return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  }

  end(): void {
    if (this.left > 0) throw malformed()
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw malformed()
    return byte
  }

  #length(): number {
    const first = this.#byte()
    if (first < 0x80) return first
    const bytes = first & 0x7f
    if (bytes === 0 || bytes > 3) throw malformed()
    let length = 0
    for (let n = 0; n < bytes; n++) length = length * 256 + this.#byte()
    if (length < 0x80 || length < 256 ** (bytes - 1)) throw malformed()
    return length
  }
}

function oidOf(bytes: Buffer): string {
  const parts: number[] = []
  let part = 0
  for (const byte of bytes) {
    part = part * 128 + (byte & 0x7f)
    if (part > 2 ** 40) throw malformed()
    if (byte < 0x80) {
      parts.push(part)
      part = 0
    }
  }
  const [first] = parts
  if (first === undefined || bytes.at(-1)! >= 0x80) throw malformed()
  const root = Math.min(Math.floor(first / 40), 2)
  return [root, first - 40 * root, ...parts.slice(1)].join('.')
}

function malformed(): Error {
  return new Error('malformed DER')
}
