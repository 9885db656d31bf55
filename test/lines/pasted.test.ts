import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatBridgeLine, lintBridgeLine, parseBridgeLine, readBridgeLines } from '../../src/app/index.ts'

const fingerprint = 'A1B2C3D4E5F60718293A4B5C6D7E8F9001122334'
const cert = '9V/xb2b0M2Ama5Xbb4/sAddgMQV9yW93bIQj5XonhUiaP5xD+251aHbWrZqcrEqk5y7Bkw'
const one = `obfs4 8.8.8.8:443 ${fingerprint} cert=${cert} iat-mode=0`
const two = `obfs4 [2600::1]:8443 cert=${cert} iat-mode=2`
const web = 'webtunnel [2001:db8:44::1]:443 url=https://example.com/x?a=1&b=2 ver=0.0.3'

/** As the reader of a line sees them: without keyword, comment and surplus spaces. */
const read = (input: string | Uint8Array): string[] =>
  readBridgeLines(input).map((line) => formatBridgeLine(parseBridgeLine(line)))

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('+', '&#43;')

/** Each way in which people hand lines on, of a list of good ones. */
const containers: Readonly<Record<string, (lines: readonly string[]) => string | Uint8Array>> = {
  'a list with comments and blank lines': (lines) => `\n# mine\n${lines.join('\r\n\r\n')}  # from a friend\n\n`,
  'lines that end as on old machines': (lines) => lines.join('\r'),
  'a QR code, as Python writes it': (lines) => `[${lines.map((line) => `'${line}'`).join(', ')}]`,
  'a QR code, as JSON': (lines) => JSON.stringify(lines),
  'an answer of moat': (lines) =>
    JSON.stringify({
      settings: [{ bridges: { type: 'obfs4', source: 'bridgedb', bridge_strings: lines } }],
      country: 'zz',
    }),
  'the built-in bridges of moat': (lines) => JSON.stringify({ obfs4: lines, snowflake: [] }, null, 2),
  'our own JSON': (lines) => JSON.stringify(lines.map((line) => ({ bridge: parseBridgeLine(line) }))),
  'prefs.js of Tor Browser': (lines) =>
    [
      'user_pref("torbrowser.settings.bridges.enabled", true);',
      ...lines.map((line, at) => `user_pref("torbrowser.settings.bridges.bridge_strings.${at}", "${line}");`),
    ].join('\n'),
  torrc: (lines) =>
    [
      '## Configuration of tor',
      'UseBridges 1',
      'SocksPort 127.0.0.1:9050',
      'ClientTransportPlugin obfs4,webtunnel exec /usr/bin/postern pt managed',
      ...lines.map((line) => `Bridge ${line.replaceAll(' ', ' \\\n  # in the middle\n  ')}`),
      'DataDirectory /var/lib/tor',
    ].join('\n'),
  'torrc with a comment after each': (lines) => lines.map((line) => `bridge\t${line} # a=b`).join('\n'),
  links: (lines) => lines.map((line) => `bridge://${encodeURIComponent(line).replaceAll('%20', '+')}`).join('\n'),
  'links with other escapes': (lines) => lines.map((line) => `bridge:${encodeURIComponent(line)}`).join(' '),
  'a mail that was answered': (lines) =>
    ['> Here are your bridges:', '>', ...lines.map((line) => `> > ${line}`), '>', '> -- ', '> BridgeDB'].join('\n'),
  'a mail with its head': (lines) =>
    [
      'From: bridges@example.org',
      'Content-Type: text/plain; charset=utf-8',
      'Date: Mon, 1 Jan 2026 10:00:00 +0000',
      '',
      'Hello! See https://example.org/bridges?transport=obfs4 for more at 10:30.',
      'Copy these lines:',
      '',
      ...lines,
    ].join('\n'),
  'the source of a mail': (lines) =>
    lines.map((line) => line.replaceAll('=', '=3D').replace(/.{70}/g, '$&=\n')).join('\n'),
  Markdown: (lines) => lines.map((line, at) => `${at + 1}. \`${line}\``).join('\n'),
  'Markdown in a block': (lines) => `\`\`\`\n${lines.map((line) => `- ${line}`).join('\n')}\n\`\`\``,
  'a table': (lines) => lines.map((line) => `| ${line} |`).join('\n'),
  'the source of a page': (lines) =>
    `<div id="bridgelines">${lines.map((line) => escaped(line)).join('<br/>\n')}<br/></div>`,
  'a page with code': (lines) => lines.map((line) => `<p><code>${escaped(line)}</code></p>`).join(''),
  'one line': (lines) => lines.join(' '),
  'one line of torrc': (lines) => lines.map((line) => `Bridge ${line}`).join(' '),
  TOML: (lines) => `bridges = [\n${lines.map((line) => `  "${line}",\n`).join('')}]\n`,
  'quotation marks of a word processor': (lines) => lines.map((line) => `“${line}”`).join(', '),
  'UTF-16, as PowerShell writes it': (lines) => Buffer.from(`\ufeff${lines.join('\r\n')}`, 'utf16le'),
  'UTF-16 without its mark': (lines) => Buffer.from(lines.join('\n'), 'utf16le'),
  'UTF-16, the other way round': (lines) => Buffer.from(`\ufeff${lines.join('\n')}`, 'utf16le').swap16(),
  'UTF-8 with a byte order mark': (lines) => Buffer.from(`\ufeff${lines.join('\n')}`),
}

describe('what people have in clipboards and files', () => {
  test.each(Object.entries(containers))('%s', (_name, wrap) => {
    expect(read(wrap([one, two, web]))).toEqual([one, two, web])
    expect(read(wrap([one]))).toEqual([one])
  })

  test('a line that a mail program has broken, wherever that is', () => {
    for (let at = 'obfs4 8.8.8.8:443 '.length; at < one.length - 1; at++) {
      const [start, end] = [one.slice(0, at), one.slice(at)]
      expect(read(`${two}\n${start}\n${end}\n${two}`), start).toEqual([two, one, two])
    }
    expect(read(`> ${one.slice(0, 70)}\n> ${one.slice(70, 130)}\n> ${one.slice(130)}`)).toEqual([one])
  })

  test('lines run together where a line break was lost', () => {
    expect(read(`${one}${two}${one}`)).toEqual([one, two, one])
    expect(read(`Bridge ${one}Bridge ${two}`)).toEqual([one, two])
  })

  test('what is commented out stays out', () => {
    expect(read(`# ${two}\n> # ${two}\n${one}\n#Bridge ${two}`)).toEqual([one])
    expect(read(`Bridge ${one}# from a friend\nBridge ${two}#`)).toEqual([one, two])
  })
})

describe('what can be read in more than one way, or is wrong, is left for lint to name', () => {
  test.each<[string, string, string]>([
    ['words before it', `Your bridge: ${one}`, 'leave out what stands before obfs4'],
    ['a comment sign of somebody else', `; ${one}`, 'leave out what stands before obfs4'],
    ['a name in other letters', one.replace('obfs4', 'OBFS4'), 'it is written obfs4'],
    ['a key that is cut', one.replace(cert, cert.slice(1)), 'it has 69 characters instead of 70'],
    ['&amp; in a URL', web.replace('&', '&amp;'), 'it holds an escape of HTML'],
    ['a comma at its end', `${one},`, 'it ends with a comma'],
    ['the rest of a line', `${cert.slice(9)} iat-mode=0`, 'it may be the rest of the line before'],
    ['no address', 'Bridge obfs4', 'it is missing'],
  ])('%s', (_what, line, message) => {
    for (const text of [line, `${two}\n\n${line}`]) {
      const left = readBridgeLines(text).at(-1)!
      expect(
        lintBridgeLine(left)
          .map((finding) => finding.message)
          .join(),
      ).toContain(message)
    }
  })

  test('a URL that was cut in two is not guessed at', () => {
    const [start, end] = [web.slice(0, 60), web.slice(60)]
    expect(readBridgeLines(`${start}\n${end}`)).toEqual([start, end])
  })

  test('without any bridge line, every line comes back', () => {
    expect(readBridgeLines('hello\n\n# no\nworld')).toEqual(['hello', 'world'])
    expect(readBridgeLines('UseBridges 1\nSocksPort 9050')).toEqual([])
    expect(readBridgeLines('')).toEqual([])
  })

  test('a transport of somebody’s own is a bridge line like another', () => {
    expect(read('mine 8.8.8.8:1 k=v\nyours [2600::1]:2')).toEqual(['mine 8.8.8.8:1 k=v', 'yours [2600::1]:2'])
  })
})

describe('whatever comes', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      one,
      two,
      web,
      '\n',
      '"',
      "'",
      '`',
      '[',
      ']',
      '{',
      '}',
      ',',
      '\\',
      '> ',
      '=3D',
      '=\n',
      '&#43;',
      '&amp;',
    ),
    fc.constantFrom(
      '<br/>',
      '<div',
      '>',
      'bridge://',
      '%',
      '+',
      'Bridge ',
      'obfs4 ',
      '1.2.3.4:5',
      'iat-mode=0',
      '# ',
      '- ',
    ),
  )

  test('it is read without another error than PT_BRIDGE_LINE, and so is what was read', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        for (const line of readBridgeLines(pieces.join(''))) {
          expect(line).not.toMatch(/\n/)
          lintBridgeLine(line)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('bytes are read as text of some kind', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readBridgeLines(bytes)))
  })

  test.each(
    [
      '"\\"',
      "'\\'",
      '<',
      '<div ',
      '&#43;',
      '[',
      '{"a":',
      '["',
      'bridge://%',
      '=3D',
      'k=3D',
      '=\n',
      '> ',
      '>\n',
      '\\\n',
      '# \n',
      'a\n',
      'obfs4 1.2.3.4:5 ',
      'obfs4 1.2.3.4:5 cert=\n',
      'obfs4 1.2.3.4:5 cert=x\nx\n',
      'k=v ',
      ' ',
      ', ',
      '`',
      '“',
      '“”',
      '<>',
    ].map((unit) => [unit]),
  )('a mebibyte of %j takes no more than seconds', (unit) => {
    const text = unit.repeat(Math.floor((1024 * 1024) / unit.length))
    const start = performance.now()
    try {
      readBridgeLines(text)
        .slice(0, 10)
        .forEach((line) => void lintBridgeLine(line))
    } catch (error) {
      expect(error).toMatchObject({ code: 'PT_BRIDGE_LINE' })
    }
    expect(performance.now() - start).toBeLessThan(5_000)
  })

  test('PT_BRIDGE_LINE: more than a mebibyte, or ten thousand lines, is no list of bridges', () => {
    const tooMuch = expect.objectContaining({ code: 'PT_BRIDGE_LINE' })
    expect(() => readBridgeLines('x'.repeat(1024 * 1024 + 1))).toThrow(tooMuch)
    expect(() => readBridgeLines(new Uint8Array(1024 * 1024 + 1))).toThrow(tooMuch)
    expect(() => readBridgeLines('\n'.repeat(10_001))).toThrow(tooMuch)
  })
})
