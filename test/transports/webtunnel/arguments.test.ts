import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Args } from '../../../src/ipc/index.ts'
import { hostField, parseFrontUrl } from '../../../src/transports/webtunnel/front-url.ts'
import { parseClientArguments, webtunnelArguments } from '../../../src/transports/webtunnel/arguments.ts'

const url = 'https://example.com/secret'
const pin = createHash('sha256').update('a chain').digest()

function findings(given: Record<string, string>): string[] {
  return webtunnelArguments.check(Args.from(given), 'client').map(({ severity, key }) => `${severity} ${key}`)
}

describe('url', () => {
  test.each<[string, string, number, string, string]>([
    ['https://example.com/secret', 'example.com', 443, '/secret', 'example.com'],
    ['http://example.com/secret', 'example.com', 80, '/secret', 'example.com'],
    ['HTTPS://Example.COM:8443/Secret', 'example.com', 8443, '/Secret', 'example.com:8443'],
    ['http://example.com:443/', 'example.com', 443, '/', 'example.com:443'],
    ['https://example.com', 'example.com', 443, '/', 'example.com'],
    ['https://example.com:/x', 'example.com', 443, '/x', 'example.com'],
    ['https://example.com./x', 'example.com', 443, '/x', 'example.com'],
    ['https://user:word@example.com/x', 'example.com', 443, '/x', 'example.com'],
    ['https://[2001:db8::1]/x', '2001:db8::1', 443, '/x', '[2001:db8::1]'],
    ['https://[2001:db8::1]:8443/x', '2001:db8::1', 8443, '/x', '[2001:db8::1]:8443'],
    ['https://192.0.2.1/x', '192.0.2.1', 443, '/x', '192.0.2.1'],
    ['https://b\u00fccher.example/x', 'xn--bcher-kva.example', 443, '/x', 'xn--bcher-kva.example'],
    // The path is a secret that is compared byte by byte.
    ['https://example.com/a%2Fb/c d/%7e', 'example.com', 443, '/a%2Fb/c%20d/%7e', 'example.com'],
    ['https://example.com//a//b/../c/.', 'example.com', 443, '//a//b/../c/.', 'example.com'],
    ['https://example.com/\u00e9"<\\', 'example.com', 443, '/%C3%A9%22%3C%5C', 'example.com'],
    ["https://example.com/-._~!$&'()*+,;=:@[]", 'example.com', 443, "/-._~!$&'()*+,;=:@[]", 'example.com'],
    ['https://example.com/a?b=/c', 'example.com', 443, '/a', 'example.com'],
    ['https://example.com#/c', 'example.com', 443, '/', 'example.com'],
  ])('%s', (text, host, port, path, field) => {
    const parsed = parseFrontUrl(text)
    expect(parsed).toMatchObject({ host, port, path, isSecure: /^https/i.test(text) })
    expect(hostField(parsed)).toBe(field)
  })

  test.each([
    '',
    'example.com/secret',
    'ftp://example.com/',
    'https:/example.com/',
    'https:///secret',
    'https://:443/secret',
    'https://example.com:0/',
    'https://example.com:65536/',
    'https://example.com:99999999/',
    'https://example.com:80x/',
    'https://exa mple.com/',
    'https://[2001:db8::1/',
    'https://[192.0.2.1]/',
    'https://[fe80::1%25eth0]/',
    'https://2001:db8::1/',
    'https://1.2.3/',
    'https://example.com/%zz',
    'https://example.com/%4',
    'https://example.com/\ud800',
    `https://example.com/${'x'.repeat(3_000)}`,
  ])('PT_ARGS: %j is none', (text) => {
    expect(() => parseFrontUrl(text)).toThrow(expect.objectContaining({ code: 'PT_ARGS', key: 'url' }))
  })

  test('takes no more time for what nobody would write', () => {
    const start = performance.now()
    for (const part of ['@', '[', ':', '/', '%41', 'a.', '?#']) {
      try {
        parseFrontUrl(`https://${part.repeat(600)}`)
      } catch {
        // It may be none.
      }
    }
    expect(performance.now() - start).toBeLessThan(2_000)
  })

  test('gives a path that a request can carry, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        const path = `/${text.replace(/[%?#]/g, '')}`
        fc.pre(!/\p{Surrogate}/u.test(path))
        const sent = parseFrontUrl(`https://example.com${path}`).path
        expect(sent).toMatch(/^\/[\x21-\x7e]*$/)
        expect(decodeURIComponent(sent)).toBe(path)
      }),
    )
  })
})

describe('the names of the front', () => {
  test.each<[Record<string, string>, [string, string[]][]]>([
    [{}, [['example.com', ['example.com']]]],
    [{ servername: 'a.example' }, [['a.example', ['a.example']]]],
    [
      { servername: ' a.example, ,b.example', 'sni-imitation': 'c.example' },
      [
        ['a.example', ['a.example']],
        ['b.example', ['b.example']],
      ],
    ],
    [
      { 'sni-imitation': 'a.example,b.example' },
      [
        ['a.example', ['example.com']],
        ['b.example', ['example.com']],
      ],
    ],
    [{ 'cert-domain': '*' }, [['example.com', ['*']]]],
    [{ 'cert-domain': 'a.example, b.example' }, [['example.com', ['a.example', 'b.example']]]],
    [{ servername: 'a.example', 'cert-domain': 'b.example' }, [['a.example', ['b.example']]]],
    [{ servername: ' , ' }, [['example.com', ['example.com']]]],
  ])('%j: %j', (given, expected) => {
    const { names } = parseClientArguments(Args.from({ url, ...given }))
    expect(names.map(({ servername, verifyNames }) => [servername, verifyNames])).toEqual(expected)
  })
})

test.each([
  [url, undefined, 'example.com:443'],
  ['https://[2001:db8::1]:8443/', undefined, '[2001:db8::1]:8443'],
  [url, '', 'example.com:443'],
  [url, '192.0.2.1:8443', '192.0.2.1:8443'],
  [url, '[2001:db8::1]:443', '[2001:db8::1]:443'],
  [url, 'localhost:1', 'localhost:1'],
])('%s with addr %s is dialled at %s', (url, addr, target) => {
  expect(parseClientArguments(Args.from({ url, ...(addr === undefined ? {} : { addr }) })).target).toBe(target)
})

test.each([pin.toString('base64'), pin.toString('base64url'), pin.toString('base64').replace('=', '')])(
  'a cert is base64 in either alphabet, with padding or without: %s',
  (cert) => {
    expect(parseClientArguments(Args.from({ url, cert })).pin).toEqual(pin)
  },
)

describe('what is said about a line', () => {
  const cert = pin.toString('base64')
  test.each<[Record<string, string>, string[]]>([
    [{ url, ver: '0.0.4' }, []],
    [{ url, ver: 'anything', addr: '192.0.2.1:443', servername: 'a.example', utls: 'hellofirefox_auto' }, []],
    [{ url, utls: 'hellogolang', profile: 'auto', 'cert-domain': '*' }, []],
    [{}, ['error url']],
    [{ url: 'example.com' }, ['error url']],
    [{ url: 'http://example.com/secret' }, ['warning url']],
    [{ url: `${url}?x` }, ['warning url']],
    [{ url, addr: 'example.com' }, ['error addr']],
    [{ url, addr: '192.0.2.1:0' }, ['error addr']],
    [{ url, servername: 'a,*' }, ['error servername']],
    [{ url, 'sni-imitation': 'https://a/' }, ['error sni-imitation']],
    [{ url, 'cert-domain': 'a b' }, ['error cert-domain']],
    [{ url, cert }, ['warning cert']],
    [{ url, cert: cert.replace('=', '') }, ['warning cert', 'warning cert']],
    [{ url, cert, 'cert-domain': '*' }, ['warning cert', 'warning cert-domain']],
    [{ url, cert: pin.toString('hex') }, ['error cert']],
    [{ url, cert: `${cert}=` }, ['error cert']],
    [{ url, cert: cert.slice(4) }, ['error cert']],
    [{ url, utls: 'hellolynx' }, ['error utls']],
    [{ url, profile: 'x.json' }, ['error profile']],
    [{ url, servernames: 'a' }, ['warning servernames']],
  ])('%j: %j', (given, expected) => {
    expect(findings(given)).toEqual(expected)
  })

  test('repeats nothing of it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('url', 'addr', 'servername', 'sni-imitation', 'cert-domain', 'cert', 'utls', 'profile'),
        fc.stringMatching(/^Q[A-Z]{8}[ -~]{0,20}$/),
        (key, value) => {
          const said = webtunnelArguments.check(Args.from({ [key]: value }), 'client')
          expect(said.map(({ message }) => message).join()).not.toContain(value.slice(0, 9))
        },
      ),
    )
  })
})
