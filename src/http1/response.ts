/**
 * The head of a response of HTTP/1.1 (RFC 9112, section 4), for a client that takes what servers write.
 *
 *     HTTP/1.1 SP status [SP reason]
 *
 * Heads of 1xx may come before the final one (RFC 9110, section 15.2). 101 is final too: what follows it is another protocol.
 */
import type { Field } from './fields.ts'
import { trimBlanks } from './fields.ts'
import { formatHead, headEnd, headLines } from './head.ts'

const START = Buffer.from('HTTP/1.')

export interface ResponseHead {
  readonly status: number
  /** Of HTTP/1.0 and HTTP/1.1 the digit after the point. */
  readonly minor: number
  /** As it was written: it may hold any character of Latin-1, and it may be empty. */
  readonly reason: string
  readonly fields: readonly Field[]
}

/** Reads a complete head, up to its empty line. Undefined if its first line is not HTTP's. A line that is no field is passed over. */
export function parseResponse(head: Uint8Array): ResponseHead | undefined {
  const [start = '', ...lines] = headLines(head)
  const parts = /^HTTP\/1\.(\d) (\d{3})(?: (.*))?$/.exec(start)
  if (parts === null) return undefined
  const [, minor, status, reason = ''] = parts
  return { status: Number(status), minor: Number(minor), reason, fields: unfolded(lines).flatMap(fieldOf) }
}

/** Writes a response of HTTP/1.1. Throws PT_LINE for what would break out of its line. */
export function formatResponse(status: number, reason: string, fields: readonly Field[]): string {
  return formatHead(`HTTP/1.1 ${status} ${reason}`, fields)
}

/** A line that begins with a blank goes on with the one before it (RFC 9112, section 5.2). */
function unfolded(lines: readonly string[]): string[] {
  const whole: string[] = []
  for (const line of lines) {
    if (/^[ \t]/.test(line) && whole.length > 0) whole.push(`${whole.pop()} ${trimBlanks(line)}`)
    else whole.push(line)
  }
  return whole
}

function fieldOf(line: string): Field[] {
  const colon = line.indexOf(':')
  return colon < 1 ? [] : [[trimBlanks(line.slice(0, colon)), trimBlanks(line.slice(colon + 1))]]
}

/** What is wrong with bytes that are to be a response: they are none, or they have no end within the limit. */
export type ResponseFault = 'not HTTP' | 'too long'

/**
 * Finds the final response of a stream. `lengthOf` is what readMessage of src/io/read.ts asks for: it is given all bytes that have come so
 * far, and gives the length of all heads together once the final one is complete; bytes after it are of the protocol that follows.
 */
export class FinalResponse {
  readonly #limit: number
  readonly #fault: (fault: ResponseFault) => Error
  #begin = 0
  #end: (held: Buffer) => number | undefined
  #head: ResponseHead | undefined

  /** `limit` is for all heads together, in bytes. `fault` makes the error that is thrown. */
  constructor(limit: number, fault: (fault: ResponseFault) => Error) {
    this.#limit = limit
    this.#fault = fault
    this.#end = this.#endFrom(0)
  }

  readonly lengthOf = (held: Buffer): number | undefined => {
    for (;;) {
      // A server of another protocol may say a few bytes and wait: it is told by its first ones.
      const start = held.subarray(this.#begin, this.#begin + START.length)
      if (!START.subarray(0, start.length).equals(start)) throw this.#fault('not HTTP')
      const end = this.#end(held)
      if (end === undefined) return undefined
      const head = parseResponse(held.subarray(this.#begin, end))
      if (head === undefined) throw this.#fault('not HTTP')
      if (head.status < 100 || head.status > 199 || head.status === 101) {
        this.#head = head
        return end
      }
      this.#begin = end
      this.#end = this.#endFrom(end)
    }
  }

  /** The final head, once lengthOf has given a length. */
  get head(): ResponseHead {
    if (this.#head === undefined) throw new Error('the response is not complete')
    return this.#head
  }

  #endFrom(begin: number): (held: Buffer) => number | undefined {
    return headEnd(this.#limit - begin, () => this.#fault('too long'), begin)
  }
}
