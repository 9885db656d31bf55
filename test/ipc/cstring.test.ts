import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatCString, parseCString, toAscii } from '../../src/ipc/index.ts'
import { prefixes, texts } from './arbitraries.ts'

const malformed = expect.objectContaining({ code: 'PT_CSTRING' })

describe('parseCString', () => {
  it.each([
    ['""', ''],
    ['"Connected to \\"bridge A\\"\\n"', 'Connected to "bridge A"\n'],
    ['"\\n\\r\\t\\\\\\"\\\'"', '\n\r\t\\"\''],
    ['"\\101\\60\\7"', 'A0\x07'],
    ['"\\0421"', '"1'],
    ['"\\303\\251"', 'é'],
    ['"caf\\xc3\\xA9\\x09"', 'café\t'],
    ['"\\x9\\x9g\\xg9"', 'x9x9gxg9'],
    ['"é\ud83d\ude00"', 'é\ud83d\ude00'],
    ['"\\a\\é\\\ud83d\ude00\\x"', 'aé\ud83d\ude00x'],
    ['"\\377"', '\ufffd'],
  ])('LOG-1: %j', (text, value) => {
    expect(parseCString(text)).toEqual({ value, end: text.length })
  })

  it.each(['', 'x', '"', '"a', '"a\\', '"a\\"', '"\\400"', '"\\777"', '"\\0"', '"\\000"', '"\\x00"', '"\\8"', '"\\9"'])(
    'LOG-1: %j is malformed, PT_CSTRING',
    (text) => expect(() => parseCString(text)).toThrow(malformed),
  )

  it('starts where it is told, and says where the string ends', () => {
    expect(parseCString('A="b" C="d"', 2)).toEqual({ value: 'b', end: 5 })
    expect(parseCString('"a""b"')).toEqual({ value: 'a', end: 3 })
  })

  it('every beginning of a string is malformed', () => {
    for (const prefix of prefixes('"a\\"b\\042\\x41é"')) expect(() => parseCString(prefix)).toThrow(malformed)
  })
})

/** Whatever looks like a quotation mark or a backslash in some script. */
const quotationMarks = fc.string({
  unit: fc.constantFrom(
    '“',
    '”',
    '„',
    '‟',
    '″',
    '‴',
    '‶',
    '⁗',
    '«',
    '»',
    '‹',
    '›',
    '‘',
    '’',
    '‚',
    '‛',
    '＂',
    '＼',
    '﹨',
    '"',
    "'",
    '\\',
    'a',
  ),
})

describe('formatCString', () => {
  it.each([
    ['', '""'],
    ['a "b" \\ c', '"a \\"b\\" \\\\ c"'],
    ['1\n2\r3\t4', '"1\\n2\\r3\\t4"'],
    ["it's", '"it\'s"'],
    ['Größe \0 ＂', '"Gro?e   \\""'],
    ['a “b” «c» ″', '"a \\"b\\" \\"c\\" \\""'],
  ])('LOG-1: %j', (text, expected) => expect(formatCString(text)).toBe(expected))

  it('writes nothing but what tor and Arti both read', () => {
    fc.assert(
      fc.property(fc.oneof(texts, quotationMarks), (text) => {
        expect(formatCString(text)).toMatch(/^"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\nrt])*"$/)
      }),
      { numRuns: 500 },
    )
  })

  it('what is written reads back: ASCII as it was, the rest transliterated', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const kept = text
          .normalize('NFKD')
          .split(/([\n\r\t])/)
          .map((part) => (/^[\n\r\t]$/.test(part) ? part : toAscii(part)))
        expect(parseCString(formatCString(text)).value.replaceAll(/ +/g, ' ')).toBe(
          kept.join('').replaceAll(/ +/g, ' '),
        )
      }),
    )
  })
})
