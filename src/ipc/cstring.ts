/**
 * The String or CString of LOG and STATUS (control-spec section 2).
 *
 *     "Connected to \"bridge A\"\n"
 *
 * Reading takes every escape that a peer writes: \n \r \t \" \\ \' \xHH, one to three octal digits (goptlib writes those
 * for everything outside printable ASCII), and a backslash before any other character as that character (as Arti does).
 * Writing keeps to what C tor and Arti both read, which is `\" \\ \n \r \t` and printable ASCII: Arti drops a running PT on
 * an octal escape, and tor a line with an escape it does not know.
 */
import { PtError } from '../error.ts'
import { decomposed, toAscii } from './line.ts'

const named: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

/** Writes a CString with its quotes. Characters outside ASCII are transliterated, as no escape for them is portable. */
export function formatCString(text: string): string {
  // The text is decomposed first: some characters become a quote or a backslash, which then must be escaped too.
  const escaped = decomposed(text).replace(/[\\"\n\r\t]/g, (character) => {
    const name = Object.keys(named).find((key) => named[key] === character)
    return `\\${name ?? character}`
  })
  return `"${toAscii(escaped)}"`
}

/** Reads a CString that starts at `start`; `end` is the index after its closing quote. Throws PT_CSTRING. */
export function parseCString(text: string, start = 0): { readonly value: string; readonly end: number } {
  if (text.charAt(start) !== '"') throw new PtError('PT_CSTRING', 'a CString starts with a double quote')
  const bytes: Buffer[] = []
  let at = start + 1
  while (at < text.length) {
    const character = text.charAt(at)
    if (character === '"') return { value: Buffer.concat(bytes).toString('utf8'), end: at + 1 }
    if (character === '\\') {
      const escape = parseEscape(text, at + 1)
      bytes.push(escape.bytes)
      at = escape.end
    } else {
      const plain = /[^"\\]+/y
      plain.lastIndex = at
      const run = plain.exec(text)![0]
      bytes.push(Buffer.from(run, 'utf8'))
      at += run.length
    }
  }
  throw new PtError('PT_CSTRING', 'a CString has no closing quote')
}

function parseEscape(text: string, at: number): { bytes: Buffer; end: number } {
  const numeric = /(?:x([0-9a-fA-F]{2})|([0-7]{1,3}))/y
  numeric.lastIndex = at
  const match = numeric.exec(text)
  if (match !== null) {
    const byte = match[1] === undefined ? Number.parseInt(match[2]!, 8) : Number.parseInt(match[1], 16)
    if (byte > 255) throw new PtError('PT_CSTRING', `octal escape \\${match[2]} is above 255`)
    if (byte === 0) throw new PtError('PT_CSTRING', 'a CString holds an escaped NUL')
    return { bytes: Buffer.of(byte), end: at + match[0].length }
  }
  const character = String.fromCodePoint(text.codePointAt(at) ?? 0)
  if (at >= text.length || /[0-9]/.test(character)) {
    throw new PtError('PT_CSTRING', 'a backslash has no escape after it')
  }
  return { bytes: Buffer.from(named[character] ?? character, 'utf8'), end: at + character.length }
}
