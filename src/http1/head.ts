/**
 * A head of HTTP/1.1 (RFC 9112, section 2): a start line, fields, an empty line. It is text of Latin-1.
 *
 *     GET /path HTTP/1.1 CRLF
 *     Host: example.com CRLF
 *     CRLF
 *
 * A line may end with LF alone (section 2.2): some programs write it so.
 */
import { PtError } from '../error.ts'
import type { Field } from './fields.ts'
import { trimBlanks } from './fields.ts'

const [LF, CR] = [0x0a, 0x0d]

/** RFC 9110, section 5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** What no line of a head may hold; a tab may stand in a value. */
const control = /[\0-\x08\x0a-\x1f\x7f]/

/**
 * Looks for the end of a head that begins at `from`, each byte once: the returned function is given all bytes that have come so far,
 * and gives the position after the first empty line. It throws what `tooLong` makes if `limit` bytes from `from` on hold no end.
 */
export function headEnd(limit: number, tooLong: () => Error, from = 0): (held: Buffer) => number | undefined {
  let searched = from
  const last = from + limit
  return (held) => {
    for (let at = held.indexOf(LF, searched); at !== -1; at = held.indexOf(LF, searched)) {
      const next = held[at + 1] === CR ? at + 2 : at + 1
      if (next >= held.length) break
      if (held[next] !== LF) {
        searched = at + 1
        continue
      }
      if (next < last) return next + 1
      break
    }
    if (held.length >= last) throw tooLong()
    return undefined
  }
}

/** The lines of a head that is complete, without its empty line. An empty line before the first one is passed over (section 2.2). */
export function headLines(head: Uint8Array): string[] {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1')
  const lines = text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
  const first = lines[0] === '' ? 1 : 0
  return lines.slice(first, lines.indexOf('', first))
}

/** Reads one line of a field strictly: a name that is a token, at once a colon, and no control characters. Undefined if it is none. */
export function parseField(line: string): Field | undefined {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(0, colon))
  if (!token.test(name) || control.test(line)) return undefined
  return [name, trimBlanks(line.slice(colon + 1))]
}

export function isToken(text: string): boolean {
  return token.test(text)
}

/** Writes a head. Throws PT_LINE for what would break out of its line. */
export function formatHead(startLine: string, fields: readonly Field[]): string {
  const lines = [startLine, ...fields.map(([name, value]) => `${name}: ${value}`)]
  if (lines.some((line) => control.test(line) || /[^\0-\xff]/.test(line)) || !fields.every(([name]) => isToken(name))) {
    throw new PtError('PT_LINE', 'a head of HTTP would hold what its grammar forbids')
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}
