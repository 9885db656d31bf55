/**
 * Reads one response of HTTP/1.1 (RFC 9112, sections 6 and 7): pure, bytes in, a body out.
 *
 *     head ─┬─ Content-Length: n          n bytes
 *           ├─ Transfer-Encoding: chunked  ( <size in hex> CRLF <bytes> CRLF )* 0 CRLF trailers CRLF
 *           └─ neither                    all bytes up to the end of the connection
 */
import { PtError } from '../../../error.ts'
import type { Field } from '../../../http1/fields.ts'
import { fieldValues, hasItem, lastValue, listItems } from '../../../http1/fields.ts'
import { FinalResponse } from '../../../http1/response.ts'
import { appended } from '../../../io/read.ts'
import type { Answer } from './answer.ts'
import { Body, endOf } from './answer.ts'

const HEAD_LIMIT = 16_384
/** Extensions of a chunk and trailers are read over. */
const LINE_LIMIT = 4_096
const TRAILER_LIMIT = 16_384

type Part = 'head' | 'bytes' | 'size' | 'chunk' | 'after' | 'trailer' | 'rest' | 'done'

export class AnswerReader {
  readonly body: Body = new Body()
  readonly #response = new FinalResponse(HEAD_LIMIT, (fault) =>
    fault === 'too long'
      ? new PtError('PT_LIMIT', `the head of an answer is longer than ${HEAD_LIMIT} bytes`)
      : malformed('what answered does not speak HTTP'),
  )
  #held: Buffer | undefined
  #part: Part = 'head'
  /** How many bytes are still to come of a body or a chunk. */
  #left = 0
  #trailers = 0
  #surplus = false

  get status(): number {
    return this.#response.head.status
  }

  get encoding(): string | undefined {
    return lastValue(this.#fields, 'content-encoding')
  }

  get type(): string | undefined {
    return lastValue(this.#fields, 'content-type')
  }

  /** True if the connection may be used for another request: nothing came after the answer, and nobody said that it is to end. */
  get staysOpen(): boolean {
    const { minor } = this.#response.head
    const kept = minor === 0 ? hasItem(this.#fields, 'connection', 'keep-alive') : true
    return kept && !this.#surplus && this.#part === 'done' && !hasItem(this.#fields, 'connection', 'close')
  }

  /** How long the server keeps a silent connection, in ms, if it says so. */
  get idleTime(): number | undefined {
    const seconds = /(?:^|[,;\s])timeout=(\d{1,6})\b/i.exec(lastValue(this.#fields, 'keep-alive') ?? '')?.[1]
    return seconds === undefined ? undefined : Number(seconds) * 1_000
  }

  /** Takes the next bytes. True if the answer is complete. Throws PT_FRAME or PT_LIMIT for what is no answer. */
  take(chunk: Buffer): boolean {
    let held = appended(this.#held, chunk)
    this.#held = undefined
    while (held.length > 0 && this.#part !== 'done') {
      const taken = this.#step(held)
      if (taken === undefined) {
        this.#held = held
        return false
      }
      held = held.subarray(taken)
    }
    this.#surplus = held.length > 0
    return this.#part === 'done'
  }

  /** The connection has ended. True if the answer is complete by that, as some servers say it so. */
  end(): boolean {
    return this.#part === 'rest'
  }

  /** The connection has broken. Gives an answer all the same if that is one. */
  broken(): Answer | undefined {
    if (this.#part !== 'bytes') return undefined
    return endOf(this.status, lastValue(this.#fields, 'content-length'), this.body)
  }

  get #fields(): readonly Field[] {
    return this.#response.head.fields
  }

  /** Takes some of the bytes and returns how many; undefined if it needs more. */
  #step(held: Buffer): number | undefined {
    if (this.#part === 'head') return this.#takeHead(held)
    if (this.#part === 'rest') {
      this.body.add(held)
      return held.length
    }
    if (this.#part === 'bytes' || this.#part === 'chunk') return this.#takeBytes(held)
    const end = held.indexOf('\n')
    if (end === -1 && held.length <= LINE_LIMIT) return undefined
    if (end === -1 || end > LINE_LIMIT) throw new PtError('PT_LIMIT', 'a line of an answer is too long')
    this.#takeLine(held.toString('latin1', 0, end).replace(/\r$/, ''))
    return end + 1
  }

  #takeHead(held: Buffer): number | undefined {
    const length = this.#response.lengthOf(held)
    if (length === undefined) return undefined
    const { status } = this.#response.head
    if (status === 101) throw malformed('the front switches to another protocol, which the request did not ask for')
    if (status === 204 || status === 304) this.#part = 'done'
    else this.#beginBody()
    return length
  }

  #beginBody(): void {
    const codings = listItems(this.#fields, 'transfer-encoding')
    if (codings.length > 0) {
      if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') {
        throw malformed('an answer comes in a transfer coding that was not offered')
      }
      this.#part = 'size'
      return
    }
    const lengths = new Set(fieldValues(this.#fields, 'content-length').flatMap((value) => value.split(/\s*,\s*/)))
    const [length] = lengths
    if (length === undefined) {
      this.#part = 'rest'
      return
    }
    if (lengths.size > 1 || !/^\d{1,15}$/.test(length)) throw malformed('an answer does not say how long it is')
    this.#left = Number(length)
    this.#part = this.#left === 0 ? 'done' : 'bytes'
  }

  #takeBytes(held: Buffer): number {
    const bytes = held.subarray(0, this.#left)
    this.body.add(bytes)
    this.#left -= bytes.length
    if (this.#left === 0) this.#part = this.#part === 'bytes' ? 'done' : 'after'
    return bytes.length
  }

  #takeLine(line: string): void {
    if (this.#part === 'trailer') {
      this.#trailers += line.length
      if (this.#trailers > TRAILER_LIMIT) throw new PtError('PT_LIMIT', 'the trailers of an answer are too long')
      if (line === '') this.#part = 'done'
      return
    }
    if (this.#part === 'after') {
      if (line !== '') throw malformed('a chunk of an answer is longer than it says')
      this.#part = 'size'
      return
    }
    const size = /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i.exec(line)?.[1]
    if (size === undefined) throw malformed('a chunk of an answer does not say how long it is')
    this.#left = Number.parseInt(size, 16)
    this.#part = this.#left === 0 ? 'trailer' : 'chunk'
  }
}

function malformed(message: string): PtError {
  return new PtError('PT_FRAME', message, { stage: 'mark' })
}
