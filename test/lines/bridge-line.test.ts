import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bridgeLine,
  bridgeLineToJson,
  formatBridgeLine,
  lintBridgeLine,
  lintBridgeLines,
  parseBridgeLine,
} from '../../src/app/index.ts'

const cert = 'A'.repeat(70)
const fingerprint = '0123456789ABCDEF0123456789abcdef01234567'
const good = `obfs4 8.8.8.8:443 ${fingerprint} cert=${cert} iat-mode=0`

describe('reading a bridge line', () => {
  test.each([
    [good, 'obfs4', '8.8.8.8:443', fingerprint, 2],
    [`Bridge ${good}`, 'obfs4', '8.8.8.8:443', fingerprint, 2],
    [`  bridge\t${good}\r\n`, 'obfs4', '8.8.8.8:443', fingerprint, 2],
    [`obfs4 8.8.8.8:443 cert=${cert} iat-mode=0`, 'obfs4', '8.8.8.8:443', undefined, 2],
    ['obfs3 [2600::1]:80', 'obfs3', '[2600::1]:80', undefined, 0],
    ['obfs3 bridge.example:80', 'obfs3', 'bridge.example:80', undefined, 0],
    [
      'webtunnel [2001:db8::1]:443 url=https://x.example/a?b=c ver=0.0.3',
      'webtunnel',
      '[2001:db8::1]:443',
      undefined,
      2,
    ],
  ])('%s', (line, transport, address, fingerprint, size) => {
    const parsed = parseBridgeLine(line)
    expect([parsed.transport, parsed.address, parsed.fingerprint, parsed.args.size]).toEqual([
      transport,
      address,
      fingerprint,
      size,
    ])
  })

  test('the value of an argument may hold =, and arguments that come twice are kept in order', () => {
    const { args } = parseBridgeLine('x 8.8.8.8:1 k=a=b= z=1 k=')
    expect([...args]).toEqual([
      ['k', 'a=b='],
      ['z', '1'],
      ['k', ''],
    ])
  })

  test.each([
    ['', 'it is empty'],
    ['Bridge', 'it is empty'],
    ['8.8.8.8:443', 'there is no transport'],
    [`8.8.8.8:443 ${fingerprint}`, 'there is no transport'],
    ['obfs4', 'there is no address after obfs4'],
    [`obfs4 cert=${cert}`, 'there is no address after obfs4'],
    ['obfs4 8.8.8.8', 'expected <address>:<port>'],
    ['obfs4 8.8.8.8:', 'expected <address>:<port>'],
    ['obfs4 8.8.8.8:0', 'the port is 0'],
    ['obfs4 8.8.8.8:65536', 'the port is above 65535'],
    ['obfs4 8.8.8.256:443', 'neither an IP address nor a host name'],
    ['obfs4 [8.8.8.8]:443', 'no IPv6 address in the brackets'],
    ['obfs4 <IP ADDRESS>:<PORT> <FINGERPRINT>', 'a placeholder stands in place of the address'],
    ['obfs4 8.8.8.8:443 ABC', 'the fingerprint is not 40 hex digits'],
    ['obfs4 8.8.8.8:443 ABCD ABCD', 'more than a fingerprint'],
    ['obfs4 8.8.8.8:443 k=v stray', 'something that is no key=value'],
    ['obfs4 8.8.8.8:443 =v', 'no key before its ='],
  ])('PT_BRIDGE_LINE: %j: %s', (line, message) => {
    expect(() => parseBridgeLine(line)).toThrow(
      expect.objectContaining({ code: 'PT_BRIDGE_LINE', stage: 'argument', message: expect.stringContaining(message) }),
    )
  })

  test('no error repeats the address or a value', () => {
    for (const line of ['obfs4 203.0.113.77:99999 k=secret', 'obfs4 203.0.113.77:443 k=v secret']) {
      expect(() => parseBridgeLine(line)).toThrow(expect.not.objectContaining({ message: /203|secret/ }))
    }
  })
})

const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,10}$/)
const key = fc.stringMatching(/^[a-zA-Z0-9_.;\\-]{1,8}$/)
const value = fc.stringMatching(/^[!-~é-ü]{0,12}$/)
const address = fc.oneof(
  fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 })).map(([host, port]) => `${host}:${port}`),
  fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 65_535 })).map(([host, port]) => `[${host}]:${port}`),
)
const init = fc.record(
  {
    transport: name.filter((text) => text !== 'bridge'),
    address,
    fingerprint: fc.stringMatching(/^[0-9a-fA-F]{40}$/),
    args: fc.array(fc.tuple(key, value), { maxLength: 5 }),
  },
  { requiredKeys: ['transport', 'address', 'args'] },
)

describe('there and back', () => {
  test('angle brackets of two arguments are no placeholder', () => {
    const text = 'a 8.8.8.8:1 a=< 0=>'
    expect(formatBridgeLine(parseBridgeLine(text))).toBe(text)
  })

  test('what is written reads back as the same value, with and without Bridge', () => {
    fc.assert(
      fc.property(init, (init) => {
        const line = bridgeLine(init)
        const text = formatBridgeLine(line)
        expect(bridgeLineToJson(parseBridgeLine(text))).toEqual(bridgeLineToJson(line))
        expect(formatBridgeLine(parseBridgeLine(`Bridge  ${text} `))).toBe(text)
      }),
    )
  })

  test('JSON and back', () => {
    fc.assert(
      fc.property(init, (init) => {
        const line = bridgeLine(init)
        const read = bridgeLine(JSON.parse(JSON.stringify(bridgeLineToJson(line))) as typeof init)
        expect(formatBridgeLine(read)).toBe(formatBridgeLine(line))
      }),
    )
    expect(formatBridgeLine({ transport: 'obfs4', address: '8.8.8.8:443', args: { cert, 'iat-mode': '0' } })).toBe(
      `obfs4 8.8.8.8:443 cert=${cert} iat-mode=0`,
    )
  })

  test.each([
    [{ args: { k: 'a b' } }, 'the value of k holds white space'],
    [{ args: { 'a b': 'v' } }, 'the key of an argument holds'],
    [{ args: { '': 'v' } }, 'no key before'],
    [{ transport: '4x' }, 'not a C identifier'],
  ])('what no line can hold is PT_BRIDGE_LINE: %j', (part, message) => {
    const init = { transport: 'obfs4', address: '8.8.8.8:443', ...part }
    expect(() => formatBridgeLine(init)).toThrow(
      expect.objectContaining({ code: 'PT_BRIDGE_LINE', message: expect.stringContaining(message) }),
    )
  })

  test('any text is read or refused, and linted, without another error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.constantFrom(good).chain((line) => fc.nat(line.length).map((n) => line.slice(0, n))),
        ),
        (text) => {
          const errors = lintBridgeLine(text).filter(({ severity }) => severity === 'error')
          let readable = true
          try {
            parseBridgeLine(text)
          } catch (error) {
            readable = false
            expect(error).toMatchObject({ code: 'PT_BRIDGE_LINE' })
          }
          // Lint finds at least what the reader does.
          if (!readable) expect(errors).not.toEqual([])
        },
      ),
    )
  })
})

describe('lint', () => {
  test.each([
    [good],
    [`Bridge ${good}`],
    ['obfs3 [2600::1]:443'],
    [`obfs4 8.8.8.8:443 node-id=${'a'.repeat(40)} public-key=${'b'.repeat(64)} iat-mode=1`],
    ['webtunnel [2001:db8:1::1]:443 url=https://x.example/y ver=0.0.3'],
    ['webtunnel 192.0.2.3:1 url=https://x.example/y'],
    ['snowflake 192.0.2.3:80 fingerprint=x'],
    ['dnstt 192.0.2.4:1 doh=https://dns.example/dns-query domain=t.example.com'],
    ['conjure 192.0.2.3:80 url=https://registration.example/api transport=prefix'],
    ['meek 0.0.2.0:3 url=https://meek.example.net/ front=www.example.com'],
    // As Tor Browser hands it out.
    ['meek_lite 192.0.2.20:80 url=https://1314488750.rsc.cdn77.org front=www.phpmyadmin.net utls=HelloRandomizedALPN'],
    [`${good}   # from a friend`],
    [`${good}\t# k=v "quoted", `],
    [`obfs4 8.8.8.8:443 cert=${cert} iat-mode=+1`],
    [`obfs4 8.8.8.8:443 cert=${cert} iat-mode=01`],
    [`webtunnel 192.0.2.3:1 url=https://x.example/${'a'.repeat(481)};b=c=d`],
    ['webtunnel [2001:db8::1]:443 url=https://x.example/y utls=hellofirefox_auto servername=a.example,b.example'],
  ])('nothing is wrong with %s', (line) => {
    expect(lintBridgeLine(line)).toEqual([])
  })

  test.each([
    ['', 'error line: it is empty'],
    [`8.8.8.8:443 ${fingerprint}`, 'error transport: a plain bridge line'],
    ['???', 'error transport: the line does not start'],
    [`obfs4 8.8.8.8:443 cert=${cert}`, 'error iat-mode: it is missing'],
    ['obfs4 8.8.8.8:443 iat-mode=0', 'error cert: it is missing'],
    [`obfs4 8.8.8.8:443 cert=${cert}A iat-mode=0`, 'error cert: it has 71 characters instead of 70'],
    [`obfs4 8.8.8.8:443 cert=${'A'.repeat(69)}? iat-mode=0`, 'error cert: it holds characters that are not base64'],
    [`obfs4 8.8.8.8:443 cert=${cert}== iat-mode=0`, 'warning cert: it ends with ='],
    [`obfs4 8.8.8.8:443 cert= iat-mode=0`, 'error cert: it is empty'],
    [`obfs4 8.8.8.8:443 cert=${cert} iat-mode=3`, 'error iat-mode: it is none of 0, 1 and 2'],
    [`obfs4 8.8.8.8:443 cert=${cert} cert=${cert} iat-mode=0`, 'warning cert: it comes more than once'],
    [`obfs4 <IP ADDRESS>:<PORT> <FINGERPRINT> cert=${cert} iat-mode=0`, 'error address: it is a placeholder'],
    [`obfs4 <IP ADDRESS>:443 <FINGERPRINT> cert=${cert} iat-mode=0`, 'error fingerprint: it is a placeholder'],
    [`obfs4 IP:PORT cert=${cert} iat-mode=0`, 'error address: it is a placeholder'],
    [`obfs4 192.0.2.1:443 cert=${cert} iat-mode=0`, 'error address: it is a placeholder of documentation'],
    [`obfs4 [2001:db8::7]:443 cert=${cert} iat-mode=0`, 'error address: it is a placeholder of documentation'],
    [`obfs4 0.0.0.0:443 cert=${cert} iat-mode=0`, 'error address: it is the address to listen on'],
    [`obfs4 10.1.2.3:443 cert=${cert} iat-mode=0`, 'warning address: it is a private address'],
    [`obfs4 bridge.example:443 cert=${cert} iat-mode=0`, 'warning address: it is a host name'],
    [`obfs4 8.8.8.8 cert=${cert} iat-mode=0`, 'error address: the port is missing'],
    [`obfs4 8.8.8.8:70000 cert=${cert} iat-mode=0`, 'error address: malformed address'],
    [`obfs4 8.8.8.8:443 ABCD cert=${cert} iat-mode=0`, 'error fingerprint: it has 4 hex digits instead of 40'],
    [`obfs4 8.8.8.8:443 $${fingerprint} cert=${cert} iat-mode=0`, 'error fingerprint: write it as'],
    [`obfs4 8.8.8.8:443 “cert=${cert}” iat-mode=0`, 'error line: it holds a quotation mark'],
    [`obfs4\u200b 8.8.8.8:443 cert=${cert} iat-mode=0`, 'error line: it holds an invisible character'],
    [`${good}\n${good}`, 'error line: it is more than one line'],
    ['webtunnel 8.8.8.8:443 url=https://x.example/', 'warning address: webtunnel does not use it'],
    ['webtunnel [2001:db8::1]:443', 'error url: it is missing'],
    ['webtunnel [2001:db8::1]:443 url=x.example', 'error url: it is no URL of the form'],
    ['webtunnel [2001:db8::1]:443 url=https://x.example/y?z', 'warning url: what stands after its path is not sent'],
    ['webtunnel 192.0.2.3:1 url=https://x.example/ servernames=a', 'warning servernames: webtunnel has no argument'],
    ['scramblesuit 8.8.8.8:443 password=short', 'error password: it has 5 characters instead of 32'],
    ['scramblesuit 8.8.8.8:443', 'error password: it is missing'],
    [`scramblesuit 8.8.8.8:443 password=${'a'.repeat(32)}`, 'warning password: obfs4proxy takes capital letters'],
    ['obfs2 8.8.8.8:443 shared-secret=x', 'error shared-secret: it is not supported'],
    ['obfs3 8.8.8.8:443 k=v', 'warning k: obfs3 has no argument of this name'],
    [good.replace('iat-mode=0', 'iat-mod=0'), 'error iat-mode: it is missing'],
    [
      good.replace('iat-mode=0', 'iat-mod=0'),
      'warning iat-mod: obfs4 has no argument of this name; is iat-mode meant?',
    ],
    [good.replace('iat-mode=0', 'IAT_MODE=0'), 'warning IAT_MODE: obfs4 has no argument of this name; is iat-mode'],
    [
      good.replace(fingerprint, `fingerprint=${fingerprint}`),
      'warning fingerprint: obfs4 has no argument of this name:',
    ],
    [good.replace('obfs4', 'OBFS4'), 'error transport: it is written obfs4, in small letters'],
    [good.replace('obfs4', 'Obfs4'), 'error transport: it is written obfs4, in small letters'],
    [good.replace('obfs4', 'ofbs4'), 'error transport: no such transport is known; is obfs4 meant?'],
    [good.replace('obfs4', 'obsf4'), 'error transport: no such transport is known; is obfs4 meant?'],
    [good.replace('obfs4', 'obf4'), 'error transport: no such transport is known; is obfs4 meant?'],
    [good.replace('obfs4', 'obffs4'), 'error transport: no such transport is known; is obfs4 meant?'],
    [
      'webtunel 192.0.2.3:1 url=https://x.example/y',
      'error transport: no such transport is known; is webtunnel meant?',
    ],
    ['meek_lite 192.0.2.18:80', 'error url: it is missing'],
    ['meek_lite 192.0.2.18:80 url=x.example', 'error url: it is not a URL with https:// or http://'],
    ['meek_lite 192.0.2.18:80 url=http://x.example/', 'warning url: it is not encrypted'],
    ['meek-lite 192.0.2.18:80 url=https://x.example/', 'error transport: it is written meek_lite'],
    ['Obfs-4 8.8.8.8:1', 'error transport: it is written obfs4'],
    [good.replace('obfs4', 'obfs4:'), 'error transport: it is written obfs4'],
    [
      'web_tunnel 192.0.2.3:1 url=https://x.example/y',
      'error transport: no such transport is known; is webtunnel meant?',
    ],
    ['meek2 8.8.8.8:1 k=v', 'warning transport: no such transport is known; is meek meant?'],
    ['webtunnel 192.0.2.3:1 url=https://x.example/?a=1&amp;b=2', 'error url: it holds an escape of HTML'],
    [good.replace('iat-mode=0', 'iat-mode=0<br/>'), 'error iat-mode: it holds < or >'],
    ['webtunnel 192.0.2.3:1 url=https://x.example/#y', 'warning url: in torrc it would end before the #'],
    [`webtunnel 192.0.2.3:1 url=https://x.example/${'a'.repeat(500)}`, 'error line: its arguments have 522 bytes'],
    ['obfs4 [fe80::1%eth0]:443', 'error address: it has a zone'],
    ['dnstt [fe80::1%25eth0]:443 k=v', 'error address: '],
    ['mine 192.0.2.1:443 k=v', 'warning address: it is a placeholder of documentation'],
    ['mine 0.0.0.0:443 k=v', 'warning address: it is the address to listen on'],
    [`${good} obfs4 8.8.4.4:443 cert=${cert} iat-mode=0`, 'error line: it is more than one bridge line'],
    [`${good} Bridge obfs4 8.8.4.4:443 cert=${cert} iat-mode=0`, 'error line: it is more than one bridge line'],
    [`${good},`, 'warning line: it ends with a comma'],
    [
      `> ${good}`,
      'error transport: the line does not start with the name of its transport: leave out what stands before',
    ],
    [`<code>${good}`, 'error transport: the line does not start with the name of its transport: leave out what stands'],
    ['o\0b\0f\0s\0', 'error line: it holds bytes that are no text'],
    ['x'.repeat(9_000), 'error line: it has 9000 characters; no bridge line is so long'],
  ])('%s', (line, expected) => {
    const findings = lintBridgeLine(line).map(({ severity, field, message }) => `${severity} ${field}: ${message}`)
    expect(
      findings.some((finding) => finding.startsWith(expected)),
      findings.join('\n'),
    ).toBe(true)
  })

  test('a comment is none of the line, for those who read it as well', () => {
    expect(formatBridgeLine(parseBridgeLine(`Bridge ${good} # mine`))).toBe(good)
    expect(() => parseBridgeLine('# obfs4 8.8.8.8:1')).toThrow('it is empty')
    const init = { transport: 'a', address: '8.8.8.8:1', args: { '#k': 'v' } }
    expect(() => formatBridgeLine(init)).toThrow('the key of an argument begins with #')
  })

  test('each thing is said once', () => {
    expect(lintBridgeLine('obfs3 8.8.8.8:1 k=v and so on')).toEqual([
      { severity: 'error', field: 'line', message: 'after the first argument comes something that is no key=value' },
      { severity: 'warning', field: 'k', message: 'obfs3 has no argument of this name' },
    ])
  })

  test('the same bridge twice is found among several lines', () => {
    const other = good.replace('8.8.8.8', '8.8.4.4')
    expect(
      lintBridgeLines([good, other, `Bridge ${good}`]).map((findings) => findings.map(({ message }) => message)),
    ).toEqual([[], [], ['the same bridge as line 1']])
  })
})
