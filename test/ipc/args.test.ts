import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Args,
  CLIENT_ARGS_LIMIT,
  formatClientArgs,
  formatSmethodArgs,
  formatTransportOptions,
  parseClientArgs,
  parseSmethodArgs,
  parseTransportOptions,
} from '../../src/ipc/index.ts'
import { argsOf, names, prefixes, texts, words } from './arbitraries.ts'

const malformed = expect.objectContaining({ code: 'PT_ARGS' })
const pairs = (args: Args): unknown => args.toJSON()

describe('Args', () => {
  const args = Args.from([
    ['k', '1'],
    ['other', ''],
    ['k', '2'],
  ])

  it('keeps duplicates, in the order in which they came', () => {
    expect([...args]).toEqual([
      ['k', '1'],
      ['other', ''],
      ['k', '2'],
    ])
    expect(args.size).toBe(3)
    expect(args.get('k')).toBe('1')
    expect(args.getAll('k')).toEqual(['1', '2'])
    expect([args.has('other'), args.has('none'), args.get('none')]).toEqual([true, false, undefined])
    expect(JSON.stringify(args)).toBe('[["k","1"],["other",""],["k","2"]]')
  })

  it('is made from an object too, whose values may be lists', () => {
    expect(pairs(Args.from({ j: ['1', '2'], k: '3', none: [] }))).toEqual([
      ['j', '1'],
      ['j', '2'],
      ['k', '3'],
    ])
    expect(pairs(Args.from({ __proto__: null, constructor: 'x' } as never))).toEqual([['constructor', 'x']])
  })

  it('does not change with what it was made from', () => {
    const pair: [string, string] = ['k', '1']
    const list = [pair]
    const made = Args.from(list)
    pair[1] = '2'
    list.push(['k', '3'])
    expect(pairs(made)).toEqual([['k', '1']])
    expect(Args.from(made)).toBe(made)
  })
})

describe('client arguments', () => {
  it.each([
    ['', []],
    [
      'shared-secret=rahasia;secrets-file=/tmp/blob',
      [
        ['shared-secret', 'rahasia'],
        ['secrets-file', '/tmp/blob'],
      ],
    ],
    ['k=', [['k', '']]],
    ['k=a=b', [['k', 'a=b']]],
    ['k=a\\=b', [['k', 'a=b']]],
    ['a\\=b=c', [['a=b', 'c']]],
    ['k=\\a\\;\\\\', [['k', 'a;\\']]],
    [
      'k=1;k=1;k=2',
      [
        ['k', '1'],
        ['k', '1'],
        ['k', '2'],
      ],
    ],
    ['é=\ud83d\ude00', [['é', '\ud83d\ude00']]],
    ['k=\0\n ', [['k', '\0\n ']]],
  ])('ARGS-1, ARGS-2: %j', (text, expected) => expect(pairs(parseClientArgs(text))).toEqual(expected))

  it.each(['=', 'k', '=v', 'k;', ';', 'k=v;', ';k=v', 'k=v;;k=v', 'k\\=v', 'k=v\\', 'a;b=c', 'k=v;=x'])(
    'ARGS-1: %j is malformed, PT_ARGS',
    (text) => expect(() => parseClientArgs(text)).toThrow(malformed),
  )

  it('ARGS-2: backslash, equal sign and semicolon are escaped in keys and values', () => {
    expect(
      formatClientArgs([
        ['a;b=c\\', 'd;e=f\\'],
        ['k', ':,"'],
      ]),
    ).toBe('a\\;b\\=c\\\\=d\\;e\\=f\\\\;k=:,"')
    expect(formatClientArgs({})).toBe('')
  })

  it('ARGS-2: what is written reads back', () => {
    fc.assert(
      fc.property(argsOf(texts), (args) => {
        expect(pairs(parseClientArgs(formatClientArgs(args)))).toEqual(pairs(args))
      }),
    )
  })

  it('ARGS-2: what peers write reads back, who escape less in values', () => {
    fc.assert(
      fc.property(argsOf(texts), (args) => {
        const inKeys = (text: string): string => text.replace(/[\\;=]/g, '\\$&')
        const inValues = (text: string): string => text.replace(/[\\;]/g, '\\$&')
        const text = [...args].map(([key, value]) => `${inKeys(key)}=${inValues(value)}`).join(';')
        expect(pairs(parseClientArgs(text))).toEqual(pairs(args))
      }),
    )
  })

  it('no beginning of a list reads as the whole list', () => {
    const text = formatClientArgs({ secret: 'a;b', file: '/tmp/x' })
    const whole = JSON.stringify(parseClientArgs(text))
    for (const prefix of prefixes(text)) {
      let part: string | undefined
      try {
        part = JSON.stringify(parseClientArgs(prefix))
      } catch (error) {
        expect(error).toEqual(malformed)
      }
      expect(part).not.toBe(whole)
    }
  })

  it('an error says where, and repeats no value: it may be a secret', () => {
    expect(() => parseClientArgs('secret=hunter2\\')).toThrow(
      'malformed client arguments: nothing after the last backslash at the end',
    )
    expect(() => parseClientArgs('secret=hunter2;;')).toThrow(
      'malformed client arguments: unexpected ";" at character 16',
    )
  })

  it('ARGS-2: half a surrogate pair is PT_ARGS, as it would arrive as another character', () => {
    for (const args of [{ k: 'a\ud800' }, { '\udc00': 'v' }, { k: '\udc00\ud800' }]) {
      expect(() => formatClientArgs(args)).toThrow(malformed)
      expect(() => formatTransportOptions([['t', args]])).toThrow(malformed)
    }
    expect(formatClientArgs({ k: '\ud83d\ude00' })).toBe('k=\ud83d\ude00')
  })
})

describe('SMETHOD ARGS', () => {
  it.each([
    ['', []],
    ['N=13', [['N', '13']]],
    [
      'cert=a+b/c,iat-mode=0',
      [
        ['cert', 'a+b/c'],
        ['iat-mode', '0'],
      ],
    ],
    ['k=a\\,b\\=c\\\\', [['k', 'a,b=c\\']]],
    [
      'h=a,h=b',
      [
        ['h', 'a'],
        ['h', 'b'],
      ],
    ],
    ['k=', [['k', '']]],
  ])('SM-3: %j', (text, expected) => expect(pairs(parseSmethodArgs(text))).toEqual(expected))

  it.each(['N', '=13', 'N=13,', ',N=13', 'N=1=3', 'N=13\\', 'a,b=c'])('SM-4: %j is malformed, PT_ARGS', (text) => {
    expect(() => parseSmethodArgs(text)).toThrow(malformed)
  })

  it('SM-4: equal signs, commas and backslashes are escaped', () => {
    expect(formatSmethodArgs([['a=b', 'c,d=e\\']])).toBe('a\\=b=c\\,d\\=e\\\\')
  })

  it.each([{ k: 'a b' }, { 'k\n': 'v' }, { k: 'é' }, { k: '\x7f' }, { '': 'v' }])(
    '%j cannot be said, PT_ARGS',
    (args) => {
      expect(() => formatSmethodArgs(args)).toThrow(malformed)
    },
  )

  it('SM-3, SM-4: what is written reads back', () => {
    fc.assert(
      fc.property(argsOf(words), (args) => {
        expect(pairs(parseSmethodArgs(formatSmethodArgs(args)))).toEqual(pairs(args))
      }),
    )
  })
})

describe('transport options', () => {
  const told = (text: string): unknown => [...parseTransportOptions(text)].map(([name, args]) => [name, args.toJSON()])

  it.each([
    ['', []],
    [
      'scramblesuit:key=banana;automata:rule=110;automata:depth=3',
      [
        ['scramblesuit', [['key', 'banana']]],
        [
          'automata',
          [
            ['rule', '110'],
            ['depth', '3'],
          ],
        ],
      ],
    ],
    ['t:k=a:b=c', [['t', [['k', 'a:b=c']]]]],
    ['t:k=\\;\\:\\\\\\=', [['t', [['k', ';:\\=']]]]],
    [
      't:k=1;u:k=2;t:k=1',
      [
        [
          't',
          [
            ['k', '1'],
            ['k', '1'],
          ],
        ],
        ['u', [['k', '2']]],
      ],
    ],
    ['__proto__:k=v', [['__proto__', [['k', 'v']]]]],
  ])('SENV-3: %j', (text, expected) => expect(told(text)).toEqual(expected))

  it.each([':k=v', 't', 't:', 't:k', 't:=v', 't:k=v;', ';t:k=v', 't;u:k=v', 't:k=v\\', 't:k\\=v', 't\\:k=v'])(
    'SENV-3: %j is malformed, PT_ARGS',
    (text) => expect(() => parseTransportOptions(text)).toThrow(malformed),
  )

  it('SENV-4: colons, semicolons and backslashes are escaped, and equal signs in keys', () => {
    expect(formatTransportOptions([['t', [['a:b=c', 'd:e;f=g\\']]]])).toBe('t:a\\:b\\=c=d\\:e\\;f=g\\\\')
    expect(() => formatTransportOptions([['t', { '': 'v' }]])).toThrow(malformed)
    expect(() => formatTransportOptions([['', { k: 'v' }]])).toThrow(malformed)
  })

  it('SENV-3, SENV-4: what is written reads back', () => {
    const options = fc.uniqueArray(fc.tuple(names, argsOf(texts)), { selector: ([name]) => name, maxLength: 4 })
    fc.assert(
      fc.property(options, (list) => {
        const expected = list.filter(([, args]) => args.size > 0).map(([name, args]) => [name, args.toJSON()])
        expect(told(formatTransportOptions(list))).toEqual(expected)
      }),
    )
  })
})

describe('a list that fits only without escapes for = in values', () => {
  const query = 'https://example.com/?a=1&b=2&c=3&d=4&e=5'
  const filler = (length: number): [string, string] => ['k', 'x'.repeat(length - 'url=;k='.length - query.length)]

  it.each([504, 505, 506, 508, 510])('ARGS-2: %d bytes as tor writes them are taken back by every reader', (length) => {
    const list: [string, string][] = [['url', query], filler(length)]
    const text = formatClientArgs(list, CLIENT_ARGS_LIMIT)
    // Five of the six escapes are for the query; the list is escaped as the draft says as long as it fits.
    expect(text.length).toBe(length + 5 <= CLIENT_ARGS_LIMIT ? length + 5 : length)
    expect(pairs(parseClientArgs(text))).toEqual(list)
  })

  it('ARGS-2: = in a key, and the characters that end a value, stay escaped', () => {
    expect(formatClientArgs([['a=b', 'c=d;e\\f']], 10)).toBe('a\\=b=c=d\\;e\\\\f')
  })

  it('ARGS-2: whatever the limit, what is written reads back as the same arguments', () => {
    const word = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word), { maxLength: 6 }), fc.nat(200), (args, limit) => {
        expect([...parseClientArgs(formatClientArgs(args, limit))]).toEqual(args)
      }),
    )
  })
})
