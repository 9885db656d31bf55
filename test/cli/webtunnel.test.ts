/** `postern webtunnel`: what it prints, and what it says of a wrong command line. That web servers take it is shown in test/interop/webtunnel. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseBridgeLine } from 'postern'
import { describe, expect, test } from 'vitest'
import { fronts } from '../../src/cli/webtunnel/fronts.ts'
import { parseTunnelUrl } from '../../src/cli/webtunnel/tunnel-url.ts'
import { run } from '../../src/cli/webtunnel/webtunnel.ts'
import { UsageError } from '../../src/cli/usage.ts'
import { tempDir } from '../support.ts'
import { postern } from './postern.ts'

const path = '/kTq8Zr2LwXc5Vb7Nm9Pd4Sf6'
const url = `https://bridge.example${path}`

function optionFile(text = `url=${url}\n`): string {
  const file = join(tempDir(), 'webtunnel.options')
  writeFileSync(file, text, { mode: 0o600 })
  return file
}

/** What a command line is rejected with. */
async function mistakeOf(argv: readonly string[]): Promise<string> {
  const error: unknown = await run(argv).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(UsageError)
  return (error as Error).message
}

test.each([
  ['bridge.example', /^url=https:\/\/bridge\.example\/[A-Za-z0-9]{24}\n$/],
  ['bridge.example:8443', /^url=https:\/\/bridge\.example:8443\/[A-Za-z0-9]{24}\n$/],
  ['198.51.100.7', /^url=https:\/\/198\.51\.100\.7\/[A-Za-z0-9]{24}\n$/],
  ['[2001:db8::7]:8443', /^url=https:\/\/\[2001:db8::7\]:8443\/[A-Za-z0-9]{24}\n$/],
])('url %s has a path that is new each time, and that the front takes', (host, form) => {
  const [one, other] = [1, 2].map(() => postern(['webtunnel', 'url', host]))
  expect(one).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(form) as string })
  expect(other!.stdout).not.toBe(one!.stdout)
  expect(parseTunnelUrl(one!.stdout.trim().slice('url='.length)).path).toHaveLength(25)
})

describe.each(['nginx', 'caddy', 'haproxy'] as const)('front %s', (name) => {
  test('prints the same for an option file and for a url, with host, path and port of the bridge', () => {
    const printed = postern(['webtunnel', 'front', name, '--option-file', optionFile(), '--listen', '127.0.0.1:15999'])
    expect(printed).toMatchObject({ status: 0, stderr: '' })
    for (const word of ['bridge.example', '127.0.0.1:15999', `front ${name}\``]) {
      expect(printed.stdout).toContain(word)
    }
    // HAProxy gives every request to the bridge, if there is no site.
    expect(printed.stdout.includes(path)).toBe(name !== 'haproxy')
    expect(postern(['webtunnel', 'front', name, '--url', url, '--listen', '127.0.0.1:15999']).stdout).toBe(
      printed.stdout,
    )
  })

  test('every line is one of its language: no text of the command line is quoted, none is empty', () => {
    const plan = {
      ...parseTunnelUrl('https://[2001:db8::7]:8443/a.b/c~d-e_f'),
      pt: { host: '::1', port: 15_000 },
      bind: '2001:db8::7',
      certificate: '/etc/c.pem',
      key: '/etc/k.pem',
      root: '/srv',
      site: { host: '::1', port: 8080 },
      mode: 'http',
    } as const
    const text = fronts[name].print(plan)
    expect(text).not.toMatch(/undefined|\[object|NaN/)
    expect(text).toContain('[2001:db8::7]:8443')
    expect(text).toContain('[::1]:15000')
    expect(text.endsWith('\n')).toBe(true)
  })
})

test('a short path is warned of, and the configuration is printed all the same', () => {
  const printed = postern(['webtunnel', 'front', 'nginx', '--url', 'https://bridge.example/secret'])
  expect(printed).toMatchObject({ status: 0, stdout: expect.stringContaining('location = /secret {') as string })
  expect(printed.stderr).toBe(
    'postern: the path has 6 characters and may be guessed; postern webtunnel url makes a longer one\n',
  )
})

test('line is the whole line of a bridge of tor, with what clients need and nothing that is the server’s own', () => {
  const file = optionFile(`# of bridge.example\nurl=${url}\ndecoy=/srv/www\nservername=cdn.example\n`)
  const fingerprint = '0123456789ABCDEF0123456789ABCDEF01234567'
  const { stdout, stderr, status } = postern(['webtunnel', 'line', '--option-file', file, '--fingerprint', fingerprint])
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
  const line = parseBridgeLine(stdout.trimEnd())
  expect(line).toMatchObject({ transport: 'webtunnel', fingerprint })
  expect(line.address).toMatch(/^\[2001:db8:[0-9a-f:]+\]:443$/)
  expect([...line.args].map(([key]) => key)).toEqual(['servername', 'url', 'ver'])
  expect(line.args.get('url')).toBe(url)
})

describe('one error that names what is wrong, and repeats nothing of the url', () => {
  test.each<[string[], string]>([
    [[], 'webtunnel: expected url, front, line'],
    [['fron'], 'webtunnel: there is no fron; is front meant?'],
    [['url'], 'webtunnel url: the host is missing'],
    [['url', 'https://bridge.example/'], 'webtunnel url: expected HOST or HOST:PORT'],
    [['url', 'bridge.example', 'x'], 'Unexpected argument "x"'],
    [['url', 'bridge.example', '--mode', 'tcp'], '--mode: webtunnel url has no use for it'],
    [['front'], 'webtunnel front: expected nginx, caddy, haproxy'],
    [['front', 'iis', '--url', url], 'webtunnel front: there is no front "iis": expected nginx'],
    [['front', 'nginx'], 'webtunnel front: --option-file is missing'],
    [['front', 'nginx', '--url', 'bridge.example'], '--url: it is no URL'],
    [['front', 'nginx', '--url', 'http://bridge.example/secret'], '--url: it begins with http'],
    [['front', 'nginx', '--url', 'https://bridge.example/'], '--url: it has no path'],
    [['front', 'nginx', '--url', 'https://bridge.example'], '--url: it has no path'],
    [['front', 'nginx', '--url', 'https://bridge.example/a?b'], '--url: it has a ? or a #'],
    [['front', 'nginx', '--url', 'https://bridge.example/a//b'], '--url: its path may have'],
    [['front', 'nginx', '--url', 'https://bridge.example/a/../b'], '--url: its path may have'],
    [['front', 'nginx', '--url', 'https://bridge.example/a;b'], '--url: its path may have'],
    [['front', 'nginx', '--url', 'https://bridge.example/a{b'], '--url: its path may have'],
    [['front', 'nginx', '--url', 'https://bridge.example/a%2fb'], '--url: its path may have'],
    [['front', 'nginx', '--url', url, '--listen', 'localhost:1'], '--listen: '],
    [['front', 'nginx', '--url', url, '--listen', '127.0.0.1:0'], '--listen: the port is 0'],
    [['front', 'nginx', '--url', url, '--listen', '0.0.0.0:15000'], '--listen: it is every address of the machine'],
    [['front', 'nginx', '--url', url, '--bind', 'bridge.example'], '--bind: it is no IP address'],
    [['front', 'nginx', '--url', url, '--cert', '/c.pem'], '--cert: --key is missing'],
    [['front', 'nginx', '--url', url, '--key', '/k.pem'], '--key: --cert is missing'],
    [['front', 'nginx', '--url', url, '--cert', 'c.pem', '--key', '/k.pem'], '--cert: expected an absolute path'],
    [['front', 'nginx', '--url', url, '--root', '/a b'], '--root: expected an absolute path'],
    [['front', 'nginx', '--url', url, '--root', '/a;b'], '--root: expected an absolute path'],
    [['front', 'nginx', '--url', url, '--site', '127.0.0.1:80'], '--site: nginx has no use for it'],
    [['front', 'caddy', '--url', url, '--mode', 'http'], '--mode: caddy has no use for it'],
    [['front', 'haproxy', '--url', url, '--root', '/srv'], '--root: haproxy has no use for it'],
    [['front', 'haproxy', '--url', url, '--mode', 'udp'], '--mode: expected tcp or http'],
    [['front', 'nginx', '--url', url, '--option-file', '/nonexistent'], '--option-file: there is no such file'],
    [['front', 'nginx', '--url', url, '--fingerprint', 'x'], '--fingerprint: webtunnel front has no use for it'],
    [['line', '--url', url, '--fingerprint', 'x'], '--fingerprint: expected 40 hex digits'],
    [['line', 'nginx', '--url', url], 'Unexpected argument "nginx"'],
    [['line', '--frob'], "Unknown option '--frob'"],
  ])('%j', async (argv, message) => {
    const mistake = await mistakeOf(argv)
    expect(mistake.slice(0, message.length)).toBe(message)
    expect(mistake).not.toContain('kTq8')
  })

  test.each([
    ['', '--option-file: there is no line url='],
    ['url\n', '--option-file, line 1: expected KEY=VALUE'],
    ['url=http://bridge.example/secret\n', '--option-file: url: it begins with http'],
  ])('an option file with %j', async (content, message) => {
    expect(await mistakeOf(['front', 'nginx', '--option-file', optionFile(content)])).toContain(message)
  })
})
