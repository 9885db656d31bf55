/**
 * The line of the protocol, and cutting a byte stream into lines. Section "Communication" (PT to parent process).
 *
 *     <Line> ::= <Keyword> <OptArgs> <NL>
 *     <KeywordChar> ::= <any US-ASCII alphanumeric, dash, and underscore>
 *     <ArgChar> ::= <any US-ASCII character but NUL or NL>
 */
import { PtError } from '../error.ts'

/** The longest line that is read, in bytes without NL. The draft has no limit; no line of a real PT comes near this. */
export const LINE_LIMIT: number = 64 * 1024

/** True if `text` may be the keyword of a line: one or more letters, digits, dashes and underscores of ASCII. */
export function isKeyword(text: string): boolean {
  return /^[a-zA-Z0-9_-]+$/.test(text)
}

/** True if `text` may stand in the arguments of a line: it is ASCII without NUL and NL. */
export function isArgument(text: string): boolean {
  return !/[^\x01-\x09\x0b-\x7f]/.test(text)
}

/** Writes one line, with its NL. Throws PT_LINE for a forbidden character (LINE-1): a caller transliterates first. */
export function formatLine(keyword: string, ...args: readonly string[]): string {
  if (!isKeyword(keyword)) throw new PtError('PT_LINE', `${quoted(keyword)} is not a keyword`)
  for (const arg of args) {
    if (!isArgument(arg))
      throw new PtError('PT_LINE', `an argument of ${keyword} holds NUL, NL or a character outside ASCII`)
  }
  return `${[keyword, ...args].join(' ')}\n`
}

/** Typographic characters that NFKD leaves alone, and the ASCII for each. */
const typography: readonly (readonly [RegExp, string])[] = [
  [/[\u2018-\u201b\u2032\u2039\u203a]/g, "'"],
  [/[\u201c-\u201f\u2033\u00ab\u00bb]/g, '"'],
  [/[\u2010-\u2015\u2212]/g, '-'],
  [/[\u2022\u00b7]/g, '*'],
  [/\u2190/g, '<-'],
  [/\u2192/g, '->'],
  [/\u00d7/g, 'x'],
]

/** Returns `text` with each character in ASCII that has a form in ASCII; a quote that has to be escaped may show only now. */
export function decomposed(text: string): string {
  return typography.reduce((held, [from, to]) => held.replace(from, to), text).normalize('NFKD')
}

/**
 * Returns free text as printable ASCII on one line: letters lose their accents and quotation marks and dashes their curls, runs of
 * white space and control characters become one space, all else becomes '?'. System error texts are localized, and goptlib
 * panics on them.
 */
export function toAscii(text: string): string {
  return decomposed(text)
    .replace(/\p{Mark}+/gu, '')
    .replace(/[\x00-\x1f\x7f\x85\u2028\u2029]+/g, ' ')
    .replace(/[^\x20-\x7e]/gu, '?')
}

/** Returns text of unknown origin as an error message repeats it: in quotes, and never more than a few words. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text)
}

/**
 * Cuts bytes into lines; one CR before NL is dropped, as tor and Arti do. It holds at most `limit` bytes, and reads nothing
 * after a line that is longer.
 */
export class LineSplitter {
  readonly #limit: number
  #held: Buffer[] = []
  #size = 0

  constructor(limit: number = LINE_LIMIT) {
    this.#limit = limit
  }

  /** Yields the lines that `chunk` completes. Throws PT_LINE_TOO_LONG instead of a line over the limit, and from then on. */
  *push(chunk: Uint8Array): Generator<string, void> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let start = 0
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
      this.#hold(bytes.subarray(start, end))
      yield this.#take()
      start = end + 1
    }
    this.#hold(Buffer.from(bytes.subarray(start)))
  }

  /** What follows the last NL. It was cut off by the end of the stream, so it serves a diagnosis and is never acted on. */
  get rest(): string {
    return Buffer.concat(this.#held).toString('utf8')
  }

  #hold(bytes: Buffer): void {
    this.#size += bytes.length
    if (this.#size > this.#limit) throw new PtError('PT_LINE_TOO_LONG', `a line is longer than ${this.#limit} bytes`)
    if (bytes.length > 0) this.#held.push(bytes)
  }

  #take(): string {
    const line = Buffer.concat(this.#held).toString('utf8')
    this.#held = []
    this.#size = 0
    return line.endsWith('\r') ? line.slice(0, -1) : line
  }
}
