/**
 * What was pasted or saved as plain text: out of UTF-16, quoted-printable and HTML, each only if there is no other reading.
 */
import { PtError } from '../../error.ts'

/** Many thousand bridge lines. */
const SIZE_LIMIT = 1024 * 1024

/** The text of a file's bytes, or of a clipboard's. Throws PT_BRIDGE_LINE if there is too much of it. */
export function plainText(input: string | Uint8Array): string {
  if (input.length > SIZE_LIMIT) {
    throw new PtError('PT_BRIDGE_LINE', 'it is longer than 1 MiB, so it is no list of bridge lines', {
      stage: 'argument',
    })
  }
  const text = typeof input === 'string' ? input : decode(input)
  return outOfHtml(outOfQuotedPrintable(text.replace(/^\ufeff/, '').replace(/\r\n?|[\u2028\u2029]/g, '\n')))
}

/** PowerShell and Notepad write UTF-16, with a byte order mark and at times without. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder(encodingOf(bytes)).decode(bytes)
}

function encodingOf(bytes: Uint8Array): string {
  const [first, second, third, fourth] = bytes
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  const zeros = [first, second, third, fourth].map((byte) => byte === 0)
  if (bytes.length < 4) return 'utf-8'
  if (!zeros[0] && zeros[1] && !zeros[2] && zeros[3]) return 'utf-16le'
  if (zeros[0] && !zeros[1] && zeros[2] && !zeros[3]) return 'utf-16be'
  return 'utf-8'
}

/** In the source of a mail each = is =3D. If every key of the text is followed by that, it is one. */
function outOfQuotedPrintable(text: string): string {
  const signs = text.match(/(?<=^|\s)[a-z][a-z0-9_-]{0,30}=(?:3D|=?\n)?/gim) ?? []
  const ends = signs.filter((sign) => !sign.endsWith('=\n'))
  if (ends.length === 0 || !ends.every((sign) => /=3D$/i.test(sign))) return text
  const joined = text.replace(/=[ \t]*\n/g, '')
  return joined.replace(/(?:=[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('=', ''), 'hex').toString('utf8'))
}

const blocks = 'br|div|p|pre|li|ul|ol|td|th|tr|table|tbody|thead|html|head|body|textarea|blockquote|h[1-6]|hr|dd|dt|dl'
const inline = 'a|b|i|em|strong|span|code|tt|kbd|samp|font|small|u'
/** No placeholder of a bridge line, such as <PORT> or <address>, is the name of one of these. */
const tag = new RegExp(String.raw`<(/?)(?:(${blocks})|(?:${inline}))(?:\s[^<>]*)?/?>`, 'gi')
const numeric = /&#(?:(\d{1,6})|x([0-9a-f]{1,5}));/gi

const named: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  plus: '+',
  equals: '=',
  sol: '/',
  colon: ':',
  period: '.',
  comma: ',',
  hyphen: '-',
  lowbar: '_',
  lsqb: '[',
  rsqb: ']',
}

/** A page's source has tags, or characters by their number, which no bridge line has. `&amp;` alone may be part of a URL. */
function outOfHtml(text: string): string {
  if (text.search(tag) === -1 && text.search(numeric) === -1) return text
  return text
    .replace(tag, (_tag, _slash, block: string | undefined) => (block === undefined ? '' : '\n'))
    .replace(/&(?:#(?:\d{1,6}|x[0-9a-f]{1,5})|[a-z]{2,8});/gi, (entity) => {
      const [, decimal, hex] = new RegExp(numeric.source, 'i').exec(entity) ?? []
      const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
      if (code > 0 && code <= 0x10ffff) return String.fromCodePoint(code)
      return named[entity.slice(1, -1).toLowerCase()] ?? entity
    })
}
