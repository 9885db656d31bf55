import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatAddress } from '../../src/ipc/index.ts'
import { redact, scrubAddresses, scrubForeign, shorten } from '../../src/ipc/scrub.ts'

const scrubbed: readonly (readonly [text: string, expected: string])[] = [
  ['connect ECONNREFUSED 203.0.113.4:443', 'connect ECONNREFUSED [scrubbed]'],
  ['connect ECONNREFUSED 203.0.113.4:443 - Local (0.0.0.0:0)', 'connect ECONNREFUSED [scrubbed] - Local ([scrubbed])'],
  ['listen EADDRINUSE: address already in use :::443', 'listen EADDRINUSE: address already in use [scrubbed]'],
  [
    'listen EADDRINUSE: address already in use 198.51.100.1:443',
    'listen EADDRINUSE: address already in use [scrubbed]',
  ],
  ['connect ETIMEDOUT 2001:db8::1:443', 'connect ETIMEDOUT [scrubbed]'],
  ['connect ETIMEDOUT 2001:db8:1:2:3:4:5:6:443', 'connect ETIMEDOUT [scrubbed]'],
  ['at [2001:db8::1]:443, and [::1]', 'at [scrubbed], and [scrubbed]'],
  ['from ::ffff:203.0.113.4 and fe80::1%eth0.', 'from [scrubbed] and [scrubbed]'],
  ['client 2001:db8::1: closed', 'client [scrubbed] closed'],
  ['(203.0.113.4)', '([scrubbed])'],
  ['"203.0.113.4".', '"[scrubbed]".'],
  ['getaddrinfo ENOTFOUND bridge.example', 'getaddrinfo ENOTFOUND [scrubbed]'],
  ['getaddrinfo EAI_AGAIN bridge', 'getaddrinfo EAI_AGAIN [scrubbed]'],
  ['queryA ENODATA bridge.example', 'queryA ENODATA [scrubbed]'],
  ['bridge.example:443 and localhost:80', '[scrubbed] and [scrubbed]'],
  ['via https://front.example/path?x', 'via https://[scrubbed]'],
  ['Get "https://cdn.example/secret-path?k=v": EOF', 'Get "https://[scrubbed]": EOF'],
  ['_https://u:p@front.example/a_', '_https://[scrubbed]'],
  ['at front.example:443/secret-path?k=v now', 'at [scrubbed] now'],
  ['x203.0.113.77 203.0.113.77x _203.0.113.77_ v203.0.113.77', 'x[scrubbed] [scrubbed]x _[scrubbed]_ v[scrubbed]'],
  ['host.203.0.113.77.443 > 203.0.113.77/32', 'host.[scrubbed] > [scrubbed]'],
  ['3405803853, 0xcb00714d, 0XCB00714D', '[scrubbed], [scrubbed], [scrubbed]'],
  ['0xcb.0x00.0x71.0x4d and 0313.0000.0161.0115', '[scrubbed] and [scrubbed]'],
  ['ec2-203-0-113-77', 'ec[scrubbed]'],
  ['x2001:db8::77 2001:db8::77x addr:2001:db8::77.', 'x[scrubbed] [scrubbed]x addr:[scrubbed].'],
  ['bad:2001:db8:0:0:0:0:0:1', '[scrubbed]'],
  ['getaddrinfo ENOTFOUND brücke.example', 'getaddrinfo ENOTFOUND [scrubbed]'],
  ['brücke.example:443', '[scrubbed]'],
  ['socks5://user:password@203.0.113.4:1080', 'socks5://[scrubbed]'],
]

const left: readonly string[] = [
  'took longer than 30 s',
  'at 12:34:56',
  'version 1.2.3 of postern',
  'rot_by_N: connection failed',
  'argument N=13 is fine',
  'file:///srv/transport.js:10:5',
  'std::vector and tor_proto::channel::handshake',
  'took 16777215 bytes, in 4294967296 ns',
  'docs/operating.md and bridge.example',
  'ratio 1:2',
  'obfs4_state.json',
]

describe('scrubbing', () => {
  test.each(scrubbed)('ANON-1, ANON-4: no address is left in %j', (text, expected) => {
    expect(scrubAddresses(text)).toBe(expected)
  })

  test.each(left)('%j holds no address and stays as it is', (text) => {
    expect(scrubAddresses(text)).toBe(text)
  })

  test('ANON-1: whatever the address and the words around it, it is not in the result', () => {
    const host = fc.oneof(
      fc.ipV4(),
      fc.ipV6().filter((ip) => ip.length > 6),
    )
    const around = fc.constantFrom('', 'x ', '"', '(', ', ', 'from ', '= ')
    fc.assert(
      fc.property(host, fc.nat(65535), around, around, (host, port, before, after) => {
        const result = scrubAddresses(`${before}${formatAddress({ host, port })}${after.split('').reverse().join('')}`)
        expect(result).not.toContain(host)
        expect(scrubAddresses(`${before}${host}${after.split('').reverse().join('')}`)).not.toContain(host)
      }),
    )
  })

  test('a secret is taken out wherever it stands, the longest first; a value of three characters is none', () => {
    expect(redact('key=banana, bananarama', ['banana', 'bananarama', 'key'])).toBe('key=[scrubbed], [scrubbed]')
  })

  test('a secret is found in any case of letters, and so is the beginning of a long one', () => {
    expect(redact('dial BRIDGE.example: SECRETCERT…', ['bridge.Example', 'SECRETCERTSECRETCERT'])).toBe(
      'dial [scrubbed]: [scrubbed]…',
    )
    expect(redact('https://other.example/', ['https://cdn.example/secret-path'])).toBe('https://other.example/')
    expect(redact('https://cdn.example/se', ['https://cdn.example/secret-path'])).toBe('[scrubbed]')
    expect(redact('a connection', ['connection.bridge.example'])).toBe('a connection')
    expect(redact('İ bridge.example', ['bridge.example'])).toBe('İ [scrubbed]')
  })
})

describe('what another program says holds no name of a host either', () => {
  test.each([
    ['cannot reach bridge-secret.example for cert=SECRET', 'cannot reach [scrubbed] for cert=[scrubbed]'],
    ['dial tcp: lookup bridge: no such host', 'dial tcp: lookup [scrubbed]: no such host'],
    ['lookup Bridge.Example on 192.0.2.53:53', 'lookup [scrubbed] on [scrubbed]'],
    ['dial bridge.example.:4455', 'dial [scrubbed]'],
    ['front.example/secret-path?k=v refused', '[scrubbed] refused'],
    ['brücke.example. xn--bcher-kva.xn--p1ai', '[scrubbed]. [scrubbed]'],
    ['me@ec2-203-0-113-77.compute.example', 'me@ec[scrubbed][scrubbed]'],
    ['url=//a password=x;front=b,ice=stun', 'url=[scrubbed] password=[scrubbed];front=[scrubbed],ice=[scrubbed]'],
    ['in obfs4_state.json of version 0.4.9', 'in obfs4_state.json of version 0.4.9'],
    ['panic: /usr/lib/pt/main.go:10 +0x1d', 'panic: /usr/lib/pt/main.go:10 +0x1d'],
  ])('%j', (text, expected) => {
    expect(scrubForeign(text)).toBe(expected)
  })
})

test('a long text is cut before a word, as half an address is no address', () => {
  const text = `${'x '.repeat(850)}${'y'.repeat(280)} 203.0.113.77 ${'z '.repeat(100)}`
  expect(shorten(text.slice(0, 2_000))).toBe(text.slice(0, 2_000))
  expect(shorten(`${'x'.repeat(1_990)} 203.0.113.77`)).toBe(`${'x'.repeat(1_990)} …`)
  expect(shorten('x'.repeat(10_000)).length).toBe(1_701)
})

describe('the work grows with the text, not with its square', () => {
  const parts = [
    'a.',
    'a-',
    'a:',
    '1.',
    '1-',
    '[',
    '[:',
    '::',
    'a+',
    'a_',
    '//',
    '0x',
    '1',
    ' ',
    'é.',
    '[::%',
    'lookup ',
    'cert=',
  ]
  const heads = ['', '[', '[::%', 'getaddrinfo ', 'query', 'a', '1.1.1.']

  /** The least of some runs, of the time of this process alone: others on the machine only ever add to it. */
  function work(text: string): number {
    const runs = Array.from({ length: 5 }, () => {
      const start = process.cpuUsage()
      scrubForeign(text)
      const { user, system } = process.cpuUsage(start)
      return user + system
    })
    return Math.min(...runs)
  }

  test('eight times the text is never thirty times the work', () => {
    const size = 20_000
    // What the smallest amounts of work are not told apart by, in µs.
    const floor = 1_000
    for (const head of heads) {
      for (const part of parts) {
        const text = head + part.repeat((4 * size) / part.length + 1)
        const small = work(text.slice(0, size / 2))
        expect(work(text.slice(0, size * 4)), JSON.stringify([head, part])).toBeLessThan(30 * Math.max(small, floor))
      }
    }
  })
})
