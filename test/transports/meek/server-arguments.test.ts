/** The options of the meek server: which are refused, in which words, and which go into the bridge line. */
import { expect, test } from 'vitest'
import { Args } from '../../../src/ipc/index.ts'
import { meekArguments } from '../../../src/transports/meek/arguments.ts'
import {
  readAddress,
  readCertificatePaths,
  readLine,
  readPaths,
} from '../../../src/transports/meek/server-arguments.ts'

const secret = '/s3cret'

function errorsOf(options: Record<string, string>): string[] {
  const findings = meekArguments.check(Args.from(options), 'server')
  for (const { message } of findings) expect(message).not.toContain(secret)
  return findings.flatMap(({ severity, key }) => (severity === 'error' ? [key ?? ''] : []))
}

test.each([
  [{ url: `ftp://h${secret}` }, 'url'],
  [{ url: `https://h${secret} x` }, 'url'],
  [{ url: `https://h${secret}é` }, 'url'],
  [{ targets: `https://h${secret}` }, 'targets'],
  [{ path: secret.slice(1) }, 'path'],
  [{ path: `${secret} ` }, 'path'],
  [{ utls: 'netscape' }, 'utls'],
  [{ profile: 'netscape' }, 'profile'],
  [{ address: 'bridge.example:443' }, 'address'],
  [{ address: '192.0.2.1:0' }, 'address'],
  [{ address: '192.0.2.1' }, 'address'],
  [{ trust: '10.0.0.0/33' }, 'trust'],
  [{ decoy: 'iis' }, 'decoy'],
  [{ 'tls-cert': secret }, 'tls-key'],
  [{ 'tls-key': secret }, 'tls-cert'],
  [{ 'tls-cert': 'cert.pem', 'tls-key': secret }, 'tls-cert'],
])('%j is refused, and %s is what is said to be wrong', (options: Record<string, string>, key) => {
  expect(errorsOf(options)).toEqual([key])
})

test('options that belong together are taken, and those of clients alone go into the bridge line', () => {
  const options = {
    'tls-key': '/key.pem',
    'tls-cert': '/cert.pem',
    trust: '10.0.0.0/8,2001:db8::1',
    decoy: 'caddy',
    address: '[2001:db8::7]:443',
    utls: 'none',
    url: `https://h${secret}?q=1`,
    front: 'cdn.example:8443',
  }
  expect(errorsOf(options)).toEqual([])
  const args = Args.from(options)
  expect(readLine(args)).toEqual({ url: options.url, front: options.front, utls: 'none' })
  expect(readPaths(args)).toEqual([secret])
  expect(readAddress(args)).toEqual({ host: '2001:db8::7', port: 443 })
  expect(readCertificatePaths(args)).toEqual({ cert: '/cert.pem', key: '/key.pem' })
})

test('the paths are those of all targets, or the one that the front makes of them', () => {
  const targets = 'https://a.example/one|,https://b.example/two?x|f.example'
  expect(readPaths(Args.from({ targets }))).toEqual(['/one', '/two'])
  expect(readPaths(Args.from({ targets, path: '/three' }))).toEqual(['/three'])
  expect(readPaths(Args.none)).toEqual([])
})

test('a server that takes every path is warned of, and an unknown option too', () => {
  const findings = meekArguments.check(Args.from({ 'tls-crt': '/x' }), 'server')
  expect(findings.map(({ severity, key }) => [severity, key])).toEqual([
    ['warning', 'url'],
    ['warning', 'tls-crt'],
  ])
})
