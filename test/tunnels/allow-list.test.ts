import { networkInterfaces } from 'node:os'
import { describe, expect, test } from 'vitest'
import { parseAllowList } from '../../src/app/index.ts'
import { leadsToThisMachine, watchOwnNetworks } from '../../src/addresses/own-networks.ts'
import { specialRange } from '../../src/addresses/special.ts'
import { parseSubnet } from '../../src/addresses/subnets.ts'

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
    ['10.0.0.0/8:443', '::ffff:10.1.2.3', 443, false, true],
    ['[::ffff:10.0.0.0/104]:443', '10.1.2.3', 443, false, true],
    // Wider than what is private, a rule is about the Internet.
    ['0.0.0.0/0:443', '8.8.8.8', 443, false, true],
    ['0.0.0.0/0:443', '127.0.0.1', 443, false, false],
    ['0.0.0.0/0:443', '10.0.0.1', 443, false, false],
    ['0.0.0.0/0:443', '::ffff:10.0.0.1', 443, false, false],
    ['8.0.0.0/5:443', '10.0.0.1', 443, false, false],
    ['[::/0]:443', '2600::1', 443, false, true],
    ['[::/0]:443', '::1', 443, false, false],
    ['[::/0]:443', 'fd00::1', 443, false, false],
    ['127.0.0.0/8:443', '127.0.0.1', 443, false, true],
    ['127.0.0.0/8:443', '127.0.0.1', 443, true, true],
  ])('%s: the address %s, port %i, by name %s: %s', (rule, ip, port, named, allowed) => {
    expect(parseAllowList([rule]).allowsAddress(ip, port, named)).toBe(allowed)
  })

  const own = {
    isOwn: (ip: string) => ip === '8.9.10.11' || ip === '127.0.0.1',
    subnets: [parseSubnet('8.9.10.0/24')!],
  }

  test.each([
    ['*:443', '8.9.10.11', false],
    ['8.9.10.0/24:443', '8.9.10.11', false],
    ['8.9.10.11:443', '8.9.10.11', true],
    ['8.9.10.11/32:443', '8.9.10.11', true],
    ['*:443', '8.9.10.12', false],
    ['8.0.0.0/8:443', '8.9.10.12', false],
    ['8.9.10.0/24:443', '8.9.10.12', true],
    ['8.9.10.8/29:443', '8.9.10.12', true],
    ['*:443', '8.9.11.1', true],
    ['127.0.0.0/8:443', '127.0.0.1', true],
  ])('of a machine with 8.9.10.11/24, %s allows %s: %s', (rule, ip, allowed) => {
    expect(parseAllowList([rule]).allowsAddress(ip, 443, true, own)).toBe(allowed)
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
  // What leads into IPv4 from within IPv6, and what was never given out.
  ['::127.0.0.1', 'reserved'],
  ['::8.8.8.8', 'reserved'],
  ['::ffff:0:127.0.0.1', 'reserved'],
  ['::ffff:0:808:808', 'reserved'],
  ['64:ff9b::7f00:1', 'reserved'],
  ['2001::1', 'reserved'],
  ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'reserved'],
  ['2002:7f00:1::', 'reserved'],
  ['5f00::1', 'reserved'],
  ['4000::1', 'reserved'],
  ['8000::1', 'reserved'],
  ['1::1', 'reserved'],
  ['192.88.99.1', 'reserved'],
  ['::ffff:8.8.8.8', 'global'],
  ['::FFFF:0808:0808', 'global'],
  ['2a00:1450::1', 'global'],
])('%s is %s', (host, range) => {
  expect(specialRange(host)).toBe(range)
})

test('this machine’s own: its interfaces, the address in front of its NAT, and what its routes say', async () => {
  const own = await watchOwnNetworks(['0.0.0.0:443', '[2600::7]:443', '8.8.4.4', 'localhost'])()
  const addresses = Object.values(networkInterfaces()).flatMap((one) => (one ?? []).map(({ address }) => address))
  expect(addresses.length).toBeGreaterThan(0)
  for (const ip of [...addresses, '127.0.0.1', '::ffff:127.0.0.1', '2600:0:0::7', '8.8.4.4'])
    expect([ip, own.isOwn(ip)]).toEqual([ip, true])
  expect(own.isOwn('8.8.8.8')).toBe(false)
  // All of loopback is local, though one address of it stands in the list of interfaces.
  expect(await Promise.all(['127.9.8.7', '127.0.0.1'].map(leadsToThisMachine))).toEqual([true, true])
})

test.each([
  ['10.0.0.0/8', { width: 32, bits: 8, prefix: 10n }],
  ['10.9.8.7/8', { width: 32, bits: 8, prefix: 10n }],
  ['10.9.8.7', { width: 32, bits: 32, prefix: 0x0a090807n }],
  ['::ffff:10.9.8.7', { width: 32, bits: 32, prefix: 0x0a090807n }],
  ['::ffff:10.9.8.7/104', { width: 32, bits: 8, prefix: 10n }],
  ['::ffff:10.9.8.7/95', { width: 128, bits: 95, prefix: 0x7fffn }],
  ['2001:db8::1/32', { width: 128, bits: 32, prefix: 0x20010db8n }],
  ['fe80::1%eth0', { width: 128, bits: 128, prefix: (0xfe80n << 112n) | 1n }],
  ['::/0', { width: 128, bits: 0, prefix: 0n }],
  ['', undefined],
  ['10.0.0.0/33', undefined],
  ['10.0.0.0/8/8', undefined],
  ['10.0.0.0/x', undefined],
  ['::/129', undefined],
  ['example.com', undefined],
])('the subnet %j', (text, subnet) => {
  expect(parseSubnet(text)).toEqual(subnet)
})
