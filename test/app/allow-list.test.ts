import { describe, expect, test } from 'vitest'
import { parseAllowList } from '../../src/app/index.ts'
import { specialRange } from '../../src/app/special-addresses.ts'

describe('the allow-list of the SOCKS server', () => {
  test('nothing is allowed without a rule', () => {
    const none = parseAllowList([])
    expect([none.allowsName('example.com', 443), none.allowsAddress('8.8.8.8', 443, true)]).toEqual([false, false])
  })

  test.each([
    ['example.com:443', 'example.com', 443, true],
    ['example.com:443', 'EXAMPLE.com.', 443, true],
    ['example.com:443', 'example.com', 444, false],
    ['example.com:443', 'www.example.com', 443, false],
    ['*.example.com:443', 'www.example.com', 443, true],
    ['*.example.com:443', 'example.com', 443, false],
    ['*.example.com:443', 'evilexample.com', 443, false],
    ['*:80-90', 'any.example', 85, true],
    ['*:80-90', 'any.example', 91, false],
    ['10.0.0.0/8:*', 'any.example', 1, false],
  ])('%s: the name %s, port %i: %s', (rule, name, port, allowed) => {
    expect(parseAllowList([rule]).allowsName(name, port)).toBe(allowed)
  })

  test.each([
    ['8.8.8.8:53', '8.8.8.8', 53, false, true],
    ['8.8.8.8:53', '8.8.4.4', 53, false, false],
    ['10.0.0.0/8:22', '10.9.8.7', 22, false, true],
    ['[fd00::/8]:22', 'fd12::1', 22, false, true],
    ['*:443', '8.8.8.8', 443, false, true],
    // A name that leads inward: DNS is whoever's who owns the name.
    ['*:443', '127.0.0.1', 443, true, false],
    ['*:443', '10.0.0.1', 443, true, false],
    ['*:443', '::ffff:127.0.0.1', 443, true, false],
    ['*:443', '169.254.169.254', 443, true, false],
    ['example.com:443', '192.168.1.1', 443, true, false],
    ['example.com:443', '8.8.8.8', 443, true, true],
    ['example.com:443', '8.8.8.8', 443, false, false],
  ])('%s: the address %s, port %i, by name %s: %s', (rule, ip, port, named, allowed) => {
    expect(parseAllowList([rule]).allowsAddress(ip, port, named)).toBe(allowed)
  })

  test.each([
    '',
    'x',
    ':1',
    'x:',
    'x:0',
    'x:65536',
    'x:9-8',
    '10.0.0.0/33:1',
    '10.0.0.0/x:1',
    '[::/129]:1',
    'a b:1',
    '*.:1',
  ])('PT_ADDRESS: %j is no rule', (rule) => {
    expect(() => parseAllowList(['example.com:443', rule])).toThrow(
      expect.objectContaining({ code: 'PT_ADDRESS', message: expect.stringMatching(/^rule 2 /) }),
    )
  })
})

test.each([
  ['127.0.0.1', 'loopback'],
  ['::1', 'loopback'],
  ['::ffff:10.0.0.1', 'private'],
  ['fe80::1%eth0', 'link-local'],
  ['192.0.2.1', 'documentation'],
  ['0.0.0.0', 'unspecified'],
  ['::', 'unspecified'],
  ['8.8.8.8', 'global'],
  ['2600::1', 'global'],
  ['example.com', undefined],
])('%s is %s', (host, range) => {
  expect(specialRange(host)).toBe(range)
})
