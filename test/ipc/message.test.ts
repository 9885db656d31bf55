import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Message } from '../../src/ipc/index.ts'
import {
  Args,
  formatMessage,
  implementationOf,
  parseMessage,
  severities,
  toAscii,
  transportStatus,
  versionStatus,
} from '../../src/ipc/index.ts'
import { addresses, argsOf, names, prefixes, printable, texts, words } from './arbitraries.ts'

const malformed = expect.objectContaining({ code: 'PT_MESSAGE' })
const loopback = { host: '127.0.0.1', port: 19999 }

/** The lines of the draft's examples, and what they say. */
const examples: readonly (readonly [ids: string, line: string, message: Message])[] = [
  ['VER-1', 'VERSION 1', { type: 'version', version: '1' }],
  ['VER-2', 'VERSION-ERROR no-version', { type: 'versionError', message: 'no-version' }],
  [
    'ERR-1',
    'ENV-ERROR No TOR_PT_AUTH_COOKIE_FILE when TOR_PT_EXTENDED_SERVER_PORT set',
    { type: 'envError', message: 'No TOR_PT_AUTH_COOKIE_FILE when TOR_PT_EXTENDED_SERVER_PORT set' },
  ],
  ['PROXY-2', 'PROXY DONE', { type: 'proxyDone' }],
  [
    'PROXY-2',
    'PROXY-ERROR SOCKS 4 upstream proxies unsupported.',
    { type: 'proxyError', message: 'SOCKS 4 upstream proxies unsupported.' },
  ],
  [
    'CM-1',
    'CMETHOD trebuchet socks5 127.0.0.1:19999',
    { type: 'cmethod', transport: 'trebuchet', protocol: 'socks5', address: loopback },
  ],
  [
    'CM-2',
    'CMETHOD-ERROR trebuchet no rocks available',
    { type: 'cmethodError', transport: 'trebuchet', message: 'no rocks available' },
  ],
  ['CM-3', 'CMETHODS DONE', { type: 'cmethodsDone' }],
  [
    'SM-1',
    'SMETHOD trebuchet 198.51.100.1:19999',
    { type: 'smethod', transport: 'trebuchet', address: { host: '198.51.100.1', port: 19999 }, args: Args.none },
  ],
  [
    'SM-3',
    'SMETHOD rot_by_N 198.51.100.1:2323 ARGS:N=13',
    {
      type: 'smethod',
      transport: 'rot_by_N',
      address: { host: '198.51.100.1', port: 2323 },
      args: Args.from({ N: '13' }),
    },
  ],
  [
    'SM-5',
    'SMETHOD-ERROR trebuchet no cows available',
    { type: 'smethodError', transport: 'trebuchet', message: 'no cows available' },
  ],
  ['SM-6', 'SMETHODS DONE', { type: 'smethodsDone' }],
  [
    'LOG-1',
    'LOG SEVERITY=debug MESSAGE="Connected to bridge A"',
    { type: 'log', severity: 'debug', message: 'Connected to bridge A' },
  ],
  [
    'STATUS-1',
    'STATUS TRANSPORT=obfs4 ADDRESS=198.51.100.222:2222 CONNECT=Failed FINGERPRINT=<Fingerprint> ERRSTR="Connection refused"',
    transportStatus('obfs4', {
      ADDRESS: '198.51.100.222:2222',
      CONNECT: 'Failed',
      FINGERPRINT: '<Fingerprint>',
      ERRSTR: 'Connection refused',
    }),
  ],
]

/** Args are compared by their pairs. */
function plain(message: Message): unknown {
  return 'args' in message ? { ...message, args: message.args.toJSON() } : message
}

describe('the examples of the draft', () => {
  it.each(examples)('%s: %s', (_ids, line, message) => {
    expect(plain(parseMessage(line))).toEqual(plain(message))
    expect(formatMessage(message)).toBe(`${line}\n`)
  })

  it.each(examples.map(([, line]) => line))('no beginning of "%s" throws anything but PT_MESSAGE', (line) => {
    for (const prefix of prefixes(line)) {
      try {
        expect(plain(parseMessage(prefix))).not.toEqual(plain(parseMessage(line)))
      } catch (error) {
        expect(error).toEqual(malformed)
      }
    }
  })
})

describe('parseMessage', () => {
  it.each([
    '',
    ' ',
    'BOGUS-KEYWORD x',
    'VERSIONX 1',
    'CMETHODFOO a b c',
    'version 1',
    ' VERSION 1',
    'CMETHODS',
    'CMETHODS done',
    'CMETHODS DONExyz',
    'CMETHODS  DONE',
    'SMETHODS  DONE',
    'PROXY',
    'PROXY done',
    'constructor x',
    '__proto__ x',
    'toString',
    '\ufffd\ufffd',
  ])('LINE-2: %j is unknown, which is no error', (line) =>
    expect(parseMessage(line)).toEqual({ type: 'unknown', line }),
  )

  it.each([
    ['PROXY-2', 'PROXY DONE ', { type: 'proxyDone' }],
    ['CM-3', 'CMETHODS DONE ', { type: 'cmethodsDone' }],
    ['CM-3', 'CMETHODS DONE 2 of 2', { type: 'cmethodsDone' }],
    ['SM-6', 'SMETHODS DONE ', { type: 'smethodsDone' }],
  ])('%s: %j is read, as tor and Arti read it', (_id, line, message) => expect(parseMessage(line)).toEqual(message))

  it.each([
    'VERSION',
    'VERSION ',
    'VERSION  1',
    'VERSION 1 ',
    'VERSION 1,2',
    'CMETHOD',
    'CMETHOD t',
    'CMETHOD t socks5',
    'CMETHOD t SOCKS5 127.0.0.1:1',
    'CMETHOD t socks4a 127.0.0.1:1',
    'CMETHOD t socks5 localhost:1',
    'CMETHOD t socks5 127.0.0.1:0',
    'CMETHOD t socks5 127.0.0.1:65536',
    'CMETHOD 4t socks5 127.0.0.1:1',
    'CMETHOD t socks5 127.0.0.1:1\0',
    'CMETHOD-ERROR',
    'CMETHOD-ERROR ',
    'CMETHOD-ERROR a-b no',
    'SMETHOD',
    'SMETHOD t',
    'SMETHOD t example.com:1',
    'SMETHOD t 127.0.0.1:0',
    'SMETHOD t 127.0.0.1:1 ARGS:k',
    'SMETHOD t 127.0.0.1:1 ARGS:k=a=b',
    'SMETHOD-ERROR',
    'LOG',
    'LOG SEVERITY=info',
    'LOG MESSAGE=x',
    'LOG SEVERITY=warn MESSAGE=x',
    'LOG SEVERITY=INFO MESSAGE=x',
    'LOG SEVERITY=info MESSAGE="x',
    'LOG SEVERITY=info MESSAGE=a b',
    'LOG SEVERITY=info MESSAGE=x\0',
    'STATUS',
    'STATUS ',
    'STATUS x',
    'STATUS A="b"c',
  ])('%j is malformed, PT_MESSAGE', (line) => expect(() => parseMessage(line)).toThrow(malformed))

  it.each<[string, Message]>([
    ['VERSION-ERROR', { type: 'versionError', message: '' }],
    ['ENV-ERROR ', { type: 'envError', message: '' }],
    ['ENV-ERROR  two  spaces ', { type: 'envError', message: ' two  spaces ' }],
    ['CMETHOD-ERROR t', { type: 'cmethodError', transport: 't', message: '' }],
    ['CMETHOD-ERROR  t  m', { type: 'cmethodError', transport: 't', message: ' m' }],
    ['LOG MESSAGE=x A=b SEVERITY=error', { type: 'log', severity: 'error', message: 'x' }],
    ['LOG SEVERITY=info MESSAGE="\\042\\303\\251"', { type: 'log', severity: 'info', message: '"é' }],
  ])('%j is accepted', (line, message) => expect(parseMessage(line)).toEqual(message))

  it('runs of spaces and surplus words of CMETHOD and SMETHOD are passed over, as in tor', () => {
    expect(parseMessage('CMETHOD  t   socks4  127.0.0.1:19999 what ever')).toEqual({
      type: 'cmethod',
      transport: 't',
      protocol: 'socks4',
      address: loopback,
    })
    const smethod = parseMessage('SMETHOD t [::1]:1 FOO:x ARGS:a=1,a=2 ARGS:b=3')
    expect(plain(smethod)).toMatchObject({
      args: [
        ['a', '1'],
        ['a', '2'],
      ],
    })
  })

  it('STATUS-2: a STATUS without TRANSPORT is a STATUS', () => {
    const message = parseMessage('STATUS TYPE=version IMPLEMENTATION="lyrebird" VERSION="0.5"')
    expect(message).toMatchObject({ type: 'status' })
    expect(message.type === 'status' && implementationOf(message.args)).toEqual({
      implementation: 'lyrebird',
      version: '0.5',
    })
  })

  it('an error names the keyword and is short, however long the line', () => {
    const line = `CMETHOD t ${'x'.repeat(60_000)} 127.0.0.1:1`
    expect(() => parseMessage(line)).toThrow(/^malformed CMETHOD: .{1,150}$/)
  })
})

describe('formatMessage', () => {
  it('SM-3: ARGS is the first option, where tor looks for it, and left out where there are none', () => {
    const smethod = { type: 'smethod', transport: 't', address: loopback, args: Args.from({ a: 'x,y=z' }) } as const
    expect(formatMessage(smethod)).toBe('SMETHOD t 127.0.0.1:19999 ARGS:a=x\\,y\\=z\n')
    expect(formatMessage({ ...smethod, args: Args.none })).toBe('SMETHOD t 127.0.0.1:19999\n')
  })

  it('LINE-1: text of the system, in whatever language, becomes one line of ASCII', () => {
    const message = 'connexion refusée:\n\0“127.0.0.1”'
    for (const type of ['versionError', 'envError', 'proxyError'] as const) {
      expect(formatMessage({ type, message })).toMatch(/^[A-Z]+-ERROR connexion refusee: "127\.0\.0\.1"\n$/)
    }
    expect(formatMessage({ type: 'log', severity: 'error', message })).toBe(
      'LOG SEVERITY=error MESSAGE="connexion refusee:\\n \\"127.0.0.1\\""\n',
    )
  })

  it.each<[code: string, message: Message]>([
    ['PT_NAME', { type: 'cmethod', transport: 'a b', protocol: 'socks5', address: loopback }],
    ['PT_NAME', { type: 'smethodError', transport: '', message: 'x' }],
    ['PT_ADDRESS', { type: 'cmethod', transport: 't', protocol: 'socks5', address: { host: '127.0.0.1', port: 0 } }],
    ['PT_ADDRESS', { type: 'smethod', transport: 't', address: { host: 'example.com', port: 1 }, args: Args.none }],
    ['PT_ARGS', { type: 'smethod', transport: 't', address: loopback, args: Args.from({ k: 'a b' }) }],
    ['PT_LINE', { type: 'version', version: '1 2' }],
    ['PT_LINE', { type: 'status', args: Args.none }],
    ['PT_LINE', { type: 'status', args: Args.from({ 'a b': 'x' }) }],
    ['PT_LINE', { type: 'unknown', line: 'é' }],
    ['PT_LINE', { type: 'unknown', line: 'a\nb' }],
  ])('%s: what no reader would take is not written', (code, message) => {
    expect(() => formatMessage(message)).toThrow(expect.objectContaining({ code }))
  })

  it('STATUS-1: a status of a transport needs at least one pair, PT_LINE', () => {
    expect(formatMessage(transportStatus('trebuchet', { PERCENT: '42' }))).toBe(
      'STATUS TRANSPORT=trebuchet PERCENT=42\n',
    )
    expect(() => transportStatus('trebuchet', {})).toThrow(expect.objectContaining({ code: 'PT_LINE' }))
  })

  it('STATUS-1: the version report has the form that tor puts into extra-info', () => {
    expect(formatMessage(versionStatus('postern', '0.1'))).toBe(
      'STATUS TYPE=version IMPLEMENTATION="postern" VERSION="0.1"\n',
    )
  })

  it.each<[expected: unknown, pairs: [string, string][]]>([
    [
      { implementation: 'a', version: '1' },
      [
        ['VERSION', '1'],
        ['TYPE', 'Version'],
        ['IMPLEMENTATION', 'a'],
        ['VERSION', '2'],
      ],
    ],
    [
      undefined,
      [
        ['TYPE', 'version'],
        ['TYPE', 'x'],
        ['IMPLEMENTATION', 'a'],
        ['VERSION', '1'],
      ],
    ],
    [
      undefined,
      [
        ['TYPE', 'version'],
        ['VERSION', '1'],
      ],
    ],
    [
      undefined,
      [
        ['IMPLEMENTATION', 'a'],
        ['VERSION', '1'],
      ],
    ],
  ])('STATUS-2: implementationOf gives %j', (expected, pairs) => {
    expect(implementationOf(Args.from(pairs))).toEqual(expected)
  })

  it('LINE-1: any message that can be written is one line of ASCII, and reads back', () => {
    const ascii = texts.map(toAscii)
    const withTransport = <const T extends string>(type: T) =>
      fc.record({ type: fc.constant(type), transport: names, message: ascii })
    const withText = <const T extends string>(type: T) => fc.record({ type: fc.constant(type), message: ascii })
    const pairs = argsOf(printable).map((args) =>
      [...args].map(([key, value]) => [key.replace(/[ "=]/g, '_'), value] as const),
    )
    const status = pairs
      .filter((list) => list.length > 0)
      .map((list) => ({ type: 'status' as const, args: Args.from(list) }))
    const messages: fc.Arbitrary<Message> = fc.oneof(
      fc.constantFrom<Message>({ type: 'proxyDone' }, { type: 'cmethodsDone' }, { type: 'smethodsDone' }),
      words
        .filter((word) => word !== '' && !word.includes(','))
        .map((version) => ({ type: 'version' as const, version })),
      withText('versionError'),
      withText('envError'),
      withText('proxyError'),
      withTransport('cmethodError'),
      withTransport('smethodError'),
      fc.record({
        type: fc.constant('cmethod' as const),
        transport: names,
        protocol: fc.constantFrom('socks4' as const, 'socks5' as const),
        address: addresses,
      }),
      fc.record({ type: fc.constant('smethod' as const), transport: names, address: addresses, args: argsOf(words) }),
      fc.record({ type: fc.constant('log' as const), severity: fc.constantFrom(...severities), message: printable }),
      status,
    )
    fc.assert(
      fc.property(messages, (message) => {
        const line = formatMessage(message)
        expect(line).toMatch(/^[\x20-\x7e]+\n$/)
        expect(plain(parseMessage(line.slice(0, -1)))).toEqual(plain(message))
      }),
      { numRuns: 1000 },
    )
  })
})
