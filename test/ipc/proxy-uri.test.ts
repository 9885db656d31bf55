import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ProxyUri } from '../../src/ipc/index.ts'
import { formatProxyUri, parseProxyUri } from '../../src/ipc/index.ts'
import { addresses, prefixes, texts } from './arbitraries.ts'

const refused = expect.objectContaining({
  code: 'PT_PROXY_URI',
  line: expect.stringMatching(/^PROXY-ERROR TOR_PT_PROXY: [\x20-\x7e]+$/),
})
const address = { host: '198.51.100.1', port: 8000 }

describe('parseProxyUri', () => {
  it.each<[string, ProxyUri]>([
    ['socks5://tor:test1234@198.51.100.1:8000', { protocol: 'socks5', address, user: 'tor', password: 'test1234' }],
    ['socks4a://198.51.100.1:8000', { protocol: 'socks4a', address }],
    ['http://198.51.100.1:80', { protocol: 'http', address: { ...address, port: 80 } }],
    ['HTTP://198.51.100.1:8000/', { protocol: 'http', address }],
    ['socks4://user@198.51.100.1:8000', { protocol: 'socks4a', address, user: 'user' }],
    ['socks5://[2001:db8::1]:1080', { protocol: 'socks5', address: { host: '2001:db8::1', port: 1080 } }],
    ['socks5://[fe80::1%25eth0]:1080', { protocol: 'socks5', address: { host: 'fe80::1%eth0', port: 1080 } }],
    ['socks5://[fe80::1%eth0]:1080', { protocol: 'socks5', address: { host: 'fe80::1%eth0', port: 1080 } }],
    ['socks5://[fe80::1%25]:1080', { protocol: 'socks5', address: { host: 'fe80::1%25', port: 1080 } }],
    ['socks5://a@b:c:d/e@198.51.100.1:8000', { protocol: 'socks5', address, user: 'a@b', password: 'c:d/e' }],
    ['socks5://a%40b:c%3Ad%2Fe@198.51.100.1:8000', { protocol: 'socks5', address, user: 'a@b', password: 'c:d/e' }],
    ['socks5://u:100%@198.51.100.1:8000', { protocol: 'socks5', address, user: 'u', password: '100%' }],
    ['socks5://u:%ff@198.51.100.1:8000', { protocol: 'socks5', address, user: 'u', password: '%ff' }],
    ['http://u:@198.51.100.1:8000', { protocol: 'http', address, user: 'u', password: '' }],
    ['http://u@198.51.100.1:8000', { protocol: 'http', address, user: 'u' }],
  ])('CENV-4: %s', (text, proxy) => expect(parseProxyUri(text)).toEqual(proxy))

  it.each([
    '',
    'bogus',
    '198.51.100.1:8000',
    '//198.51.100.1:8000',
    '://198.51.100.1:8000',
    'socks5:198.51.100.1:8000',
    'socks5://198.51.100.1',
    'socks5://198.51.100.1:0',
    'socks5://198.51.100.1:65536',
    'socks5://localhost:1080',
    'socks5://0x7f.1:1080',
    'socks5://:1080',
    'http://198.51.100.1:80/path',
    'http://198.51.100.1:80//',
    'http://198.51.100.1:80?x',
    'http://198.51.100.1:80#x',
    'https://198.51.100.1:443',
    'ftp://198.51.100.1:21',
    'socks5://u:@198.51.100.1:1080',
    'socks5://u@198.51.100.1:1080',
    'socks5://:p@198.51.100.1:1080',
    'socks5://@198.51.100.1:1080',
    'socks4a://u:p@198.51.100.1:1080',
    'socks4a://u%00@198.51.100.1:1080',
    'http://a%3Ab:p@198.51.100.1:80',
    ' socks5://198.51.100.1:1080',
    'socks5://198.51.100.1:1080\n',
    'socks5://198.51.100.1:1080 ',
  ])('CENV-4: %j is refused with PROXY-ERROR, PT_PROXY_URI', (text) =>
    expect(() => parseProxyUri(text)).toThrow(refused),
  )

  it.each([256, 255, 1])('CENV-4: SOCKS 5 carries a user name and a password of up to 255 bytes (%i)', (size) => {
    const text = `socks5://${'u'.repeat(size)}:${'p'.repeat(size)}@198.51.100.1:8000`
    if (size > 255) expect(() => parseProxyUri(text)).toThrow(refused)
    else expect(parseProxyUri(text)).toMatchObject({ user: 'u'.repeat(size), password: 'p'.repeat(size) })
  })

  it.each(['socks5://u:p@[2001:db8::1]:9', 'http://198.51.100.1:8'])('every beginning of %s is refused', (text) => {
    for (const prefix of prefixes(text)) expect(() => parseProxyUri(prefix)).toThrow(refused)
  })

  it.each([
    'socks5://hunter2:hunter3',
    'socks5://hunter2:hunter3@x',
    'socks4a://hunter2:hunter3@1.2.3.4:5',
    'x://hunter2:hunter3@1.2.3.4:5',
  ])('ANON-4: no part of the error of %s repeats a user name or password', (text) => {
    let error: unknown
    try {
      parseProxyUri(text)
    } catch (thrown) {
      error = thrown
    }
    for (; error instanceof Error; error = error.cause) {
      expect(`${error.message} ${String((error as { line?: string }).line)}`).not.toContain('hunter')
    }
  })
})

describe('formatProxyUri', () => {
  it.each<ProxyUri>([
    { protocol: 'socks5', address: { host: 'example.com', port: 1 } },
    { protocol: 'socks5', address: { host: '1.2.3.4', port: 0 } },
    { protocol: 'socks5', address, user: 'u' },
    { protocol: 'socks5', address, password: 'p' },
    { protocol: 'socks4a', address, user: 'u', password: 'p' },
    { protocol: 'http', address, user: 'a:b' },
    { protocol: 'http', address, user: 'u', password: '\ud800' },
  ])('%j cannot be said, PT_PROXY_URI', (proxy) => expect(() => formatProxyUri(proxy)).toThrow(refused))

  it.each(['fe80::1%eth0', 'fe80::1%25', 'fe80::1%25x'])(
    'CENV-4: the zone of %s stands behind %25, and reads back',
    (host) => {
      const proxy = { protocol: 'socks5', address: { host, port: 1080 } } as const
      expect(formatProxyUri(proxy)).toBe(`socks5://[${host.replace('%', '%25')}]:1080`)
      expect(parseProxyUri(formatProxyUri(proxy))).toEqual(proxy)
    },
  )

  it('CENV-4: what is written reads back', () => {
    const some = texts.filter((text) => text !== '' && !/\p{Surrogate}/u.test(text))
    const socks5 = fc.record({
      protocol: fc.constant('socks5' as const),
      address: addresses,
      user: some,
      password: some,
    })
    const socks4 = fc.record({
      protocol: fc.constant('socks4a' as const),
      address: addresses,
      user: some.filter((user) => !user.includes('\0')),
    })
    const http = fc.record({
      protocol: fc.constant('http' as const),
      address: addresses,
      user: some.filter((user) => !user.includes(':')),
      password: fc.oneof(some, fc.constant('')),
    })
    const none = fc.record({
      protocol: fc.constantFrom('socks5' as const, 'socks4a' as const, 'http' as const),
      address: addresses,
    })
    fc.assert(
      fc.property(fc.oneof(socks5, socks4, http, none), (proxy) => {
        expect(parseProxyUri(formatProxyUri(proxy))).toEqual(proxy)
      }),
    )
  })
})
