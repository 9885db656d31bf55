import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatLine, isArgument, isKeyword, LINE_LIMIT, LineSplitter, toAscii } from '../../src/ipc/index.ts'
import { printable, texts } from './arbitraries.ts'

const forbidden = expect.objectContaining({ code: 'PT_LINE' })

describe('formatLine', () => {
  it.each([
    ['CMETHODS DONE\n', ['CMETHODS', 'DONE']],
    ['VERSION\n', ['VERSION']],
    ['X a b  c\n', ['X', 'a b ', 'c']],
    ['x-_9 \x01\x7f\n', ['x-_9', '\x01\x7f']],
  ])('LINE-1: %j', (line, [keyword, ...args]) => {
    expect(formatLine(keyword ?? '', ...args)).toBe(line)
  })

  it.each([[''], ['A B'], ['A:'], ['É'], ['A\n'], ['A', 'x\ny'], ['A', 'x\0'], ['A', '\x80'], ['A', 'ok', 'é']])(
    'LINE-1: %j %j is no line, PT_LINE',
    (keyword, ...args) => {
      expect(() => formatLine(keyword, ...args.filter((arg) => arg !== undefined))).toThrow(forbidden)
    },
  )

  it('LINE-1: whatever it writes is one line of ASCII with one NL, at its end', () => {
    fc.assert(
      fc.property(texts, fc.array(texts), (keyword, args) => {
        if (!isKeyword(keyword) || !args.every(isArgument))
          expect(() => formatLine(keyword, ...args)).toThrow(forbidden)
        else expect(formatLine(keyword, ...args)).toMatch(/^[\x01-\x09\x0b-\x7f]+\n$/)
      }),
    )
  })
})

describe('toAscii', () => {
  it.each([
    ['connexion refusée', 'connexion refusee'],
    ['Größe', 'Gro?e'],
    ['a\r\nb\0c', 'a b c'],
    ['Соединение', '??????????'],
    ['“quoted”…', '"quoted"...'],
    ['x\u2028y\u0085z', 'x y z'],
    ['this bridge\u2019s clock \u2013 2 h \u2192 \u00ab3\u00bb', 'this bridge\'s clock - 2 h -> "3"'],
    ['\ud83d\ude00', '?'],
    ['\ud83d', '?'],
  ])('%j becomes %j', (text, ascii) => expect(toAscii(text)).toBe(ascii))

  it('gives printable ASCII that it does not change any more', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(toAscii(text)).toMatch(/^[\x20-\x7e]*$/)
        expect(toAscii(toAscii(text))).toBe(toAscii(text))
      }),
    )
  })
})

describe('LineSplitter', () => {
  const lines = ['VERSION 1', '', 'LOG SEVERITY=info MESSAGE="caf\u00e9"', 'CMETHODS DONE']
  const stream = Buffer.from('VERSION 1\n\nLOG SEVERITY=info MESSAGE="caf\u00e9"\r\nCMETHODS DONE\nVERS')

  it('cuts the same lines at every split point, and keeps the rest for a diagnosis', () => {
    for (let at = 0; at <= stream.length; at++) {
      const splitter = new LineSplitter()
      const got = [...splitter.push(stream.subarray(0, at)), ...splitter.push(stream.subarray(at))]
      expect(got).toEqual(lines)
      expect(splitter.rest).toBe('VERS')
    }
  })

  it('cuts the same lines byte by byte', () => {
    const splitter = new LineSplitter()
    const got: string[] = []
    for (const byte of stream) got.push(...splitter.push(Uint8Array.of(byte)))
    expect(got).toEqual(lines)
  })

  it('drops one CR in front of NL, and no other', () => {
    expect([...new LineSplitter().push(Buffer.from('a\r\r\nb\rc\n\r\n'))]).toEqual(['a\r', 'b\rc', ''])
  })

  it('LINE-2: bytes that are no UTF-8 spoil their own characters only', () => {
    expect([...new LineSplitter().push(Buffer.from('a\xff\xfeb\nVERSION 1\n', 'latin1'))]).toEqual([
      'a\ufffd\ufffdb',
      'VERSION 1',
    ])
  })

  it('copies what it holds, so the buffer of a chunk may be used again', () => {
    const splitter = new LineSplitter()
    const chunk = Buffer.from('VERS')
    expect([...splitter.push(chunk)]).toEqual([])
    chunk.fill('x')
    expect([...splitter.push(Buffer.from('ION 1\n'))]).toEqual(['VERSION 1'])
  })

  it('PT_LINE_TOO_LONG: a line of the limit passes, and one byte more is an error at once and ever after', () => {
    const tooLong = expect.objectContaining({ code: 'PT_LINE_TOO_LONG' })
    expect([...new LineSplitter().push(Buffer.from(`${'x'.repeat(LINE_LIMIT)}\n`))][0]).toHaveLength(LINE_LIMIT)
    const splitter = new LineSplitter(8)
    const got: string[] = []
    const feed = (text: string): void => {
      for (const line of splitter.push(Buffer.from(text))) got.push(line)
    }
    expect(() => feed('before\n123456789')).toThrow(tooLong)
    expect(() => feed('\n')).toThrow(tooLong)
    expect(() => feed('after\n')).toThrow(tooLong)
    expect(got).toEqual(['before'])
    expect(splitter.rest).toBe('')
  })

  it('cuts any lines, fed in any chunks', () => {
    fc.assert(
      fc.property(fc.array(printable), fc.array(fc.nat(12), { minLength: 1 }), (lines, sizes) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
        const splitter = new LineSplitter()
        const got: string[] = []
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 0
          got.push(...splitter.push(bytes.subarray(at, at + size + 1)))
          at += size + 1
        }
        expect(got).toEqual(lines)
      }),
    )
  })
})
