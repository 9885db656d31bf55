import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatAddress } from '../../src/ipc/index.ts'
import { redact, scrubAddresses } from '../../src/pt/scrub.ts'

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
  ['via https://front.example/path?x', 'via https://[scrubbed]/path?x'],
  ['socks5://user:password@203.0.113.4:1080', 'socks5://[scrubbed]'],
]

const left: readonly string[] = [
  'took longer than 30 s',
  'at 12:34:56',
  'version 1.2.3 of postern',
  'rot_by_N: connection failed',
  'argument N=13 is fine',
  'file:///srv/transport.js:10:5',
  'std::vector',
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

  test.each(['a.', 'a-', 'a:', '1.', '[', 'a+', '::'])(
    'a long text of %j takes no time that grows with its square',
    (part) => {
      const start = performance.now()
      scrubAddresses(part.repeat(50_000))
      expect(performance.now() - start).toBeLessThan(2_000)
    },
  )

  test('a secret is taken out wherever it stands, the longest first; a value of three characters is none', () => {
    expect(redact('key=banana, bananarama', ['banana', 'bananarama', 'key'])).toBe('key=[scrubbed], [scrubbed]')
  })
})
