import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatKvLine, parseKvLine } from '../../src/ipc/index.ts'
import { argsOf, printable } from './arbitraries.ts'

describe('parseKvLine', () => {
  it.each([
    ['', []],
    ['  \t', []],
    [
      'A=B CD=EF',
      [
        ['A', 'B'],
        ['CD', 'EF'],
      ],
    ],
    [
      ' A=B\t  C="d e" ',
      [
        ['A', 'B'],
        ['C', 'd e'],
      ],
    ],
    [
      'A= B=""',
      [
        ['A', ''],
        ['B', ''],
      ],
    ],
    ['A=b=c', [['A', 'b=c']]],
    [
      'A=1 A=2',
      [
        ['A', '1'],
        ['A', '2'],
      ],
    ],
    [
      'ADDRESS=198.51.100.222:2222 FINGERPRINT=<Fingerprint>',
      [
        ['ADDRESS', '198.51.100.222:2222'],
        ['FINGERPRINT', '<Fingerprint>'],
      ],
    ],
    ['A=a\u00a0b', [['A', 'a\u00a0b']]],
  ])('STATUS-2: %j', (text, expected) => expect(parseKvLine(text).toJSON()).toEqual(expected))

  it.each(['A', '=B', 'A B=C', 'A=B C', 'A="b"C=d', 'A="b"c', 'A=b"c', '"A"=b', 'A =b'])(
    '%j is malformed, PT_MESSAGE',
    (text) => {
      expect(() => parseKvLine(text)).toThrow(expect.objectContaining({ code: 'PT_MESSAGE' }))
    },
  )

  it.each(['A="b', 'A="\\0"', 'A="b\\"', 'A="', 'A=b C="'])('%j holds a malformed string, PT_CSTRING', (text) => {
    expect(() => parseKvLine(text)).toThrow(expect.objectContaining({ code: 'PT_CSTRING' }))
  })
})

describe('formatKvLine', () => {
  it.each([
    [{ A: 'B', C: 'd e' }, 'A=B C="d e"'],
    [{ A: '', B: '"', C: '\\', D: 'a=b' }, 'A="" B="\\"" C="\\\\" D=a=b'],
    [{ A: 'é' }, 'A="e"'],
    [{ A: 'a\nb' }, 'A="a\\nb"'],
  ])('STATUS-1: %j', (args, expected) => expect(formatKvLine(args)).toBe(expected))

  it('quotes the values of keys that are told', () => expect(formatKvLine({ A: 'b', C: 'd' }, ['C'])).toBe('A=b C="d"'))

  it.each(['', 'a b', 'a=b', 'a"b', 'é', 'a\n'])('%j cannot be a key, PT_LINE', (key) => {
    expect(() => formatKvLine([[key, 'v']])).toThrow(expect.objectContaining({ code: 'PT_LINE' }))
  })

  it('STATUS-1, STATUS-2: what is written reads back', () => {
    const keyed = argsOf(printable).map((args) =>
      [...args].map(([key, value]) => [key.replace(/[ "=]/g, '_'), value] as const),
    )
    fc.assert(
      fc.property(keyed, (pairs) => {
        expect(parseKvLine(formatKvLine(pairs)).toJSON()).toEqual(pairs)
      }),
    )
  })
})
