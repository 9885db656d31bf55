import { describe, expect, test } from 'vitest'
import { isPtError } from '../../../src/error.ts'
import { Args } from '../../../src/ipc/index.ts'
import { checkArguments } from '../../../src/transports/arguments.ts'
import { readRoutes } from '../../../src/transports/meek/routes.ts'

/** `target servername authority path`, and `plain` before them for http. */
function routes(args: Record<string, string>): string[] {
  return readRoutes(Args.from(args)).map(
    ({ secure, target, servername, authority, path }) =>
      `${secure ? '' : 'plain '}${target} ${servername} ${authority} ${path}`,
  )
}

describe('where the requests go', () => {
  test.each<[Record<string, string>, string[]]>([
    [{ url: 'https://a.example' }, ['a.example:443 a.example a.example /']],
    [{ url: 'https://a.example/p/q?x=1&y=%2F#no' }, ['a.example:443 a.example a.example /p/q?x=1&y=%2F']],
    [{ url: 'https://user:secret@a.example/p' }, ['a.example:443 a.example a.example /p']],
    [{ url: 'https://a.example:8443/' }, ['a.example:8443 a.example a.example:8443 /']],
    [{ url: 'https://a.example:443/' }, ['a.example:443 a.example a.example /']],
    [{ url: 'http://a.example/' }, ['plain a.example:80 a.example a.example /']],
    [{ url: 'https://192.0.2.1/' }, ['192.0.2.1:443 192.0.2.1 192.0.2.1 /']],
    [{ url: 'https://[2001:db8::1]:8/' }, ['[2001:db8::1]:8 2001:db8::1 [2001:db8::1]:8 /']],
    [{ url: 'https://a.example/', front: 'cdn.example' }, ['cdn.example:443 cdn.example a.example /']],
    [{ url: 'https://a.example:9/', front: 'cdn.example:8443' }, ['cdn.example:8443 cdn.example a.example:9 /']],
    [{ url: 'http://a.example/', front: '192.0.2.9' }, ['plain 192.0.2.9:80 192.0.2.9 a.example /']],
    [{ url: 'https://a.example/', front: '[2001:db8::9]' }, ['[2001:db8::9]:443 2001:db8::9 a.example /']],
    [{ targets: 'https://a.example/|' }, ['a.example:443 a.example a.example /']],
    [
      { targets: 'https://a.example/x+y|f.example+g.example:8,http://b.example/|' },
      [
        'f.example:443 f.example a.example /x+y',
        'g.example:8 g.example a.example /x+y',
        'plain b.example:80 b.example b.example /',
      ],
    ],
    [
      { targets: 'https://a.example/|f.example', url: 'nonsense', front: '???' },
      ['f.example:443 f.example a.example /'],
    ],
  ])('%j', (args, expected) => {
    expect(routes(args)).toEqual(expected)
  })

  test.each<[Record<string, string>, string]>([
    [{}, 'url'],
    [{ front: 'cdn.example' }, 'url'],
    [{ url: '' }, 'url'],
    [{ url: 'a.example' }, 'url'],
    [{ url: 'ftp://a.example/' }, 'url'],
    [{ url: 'https:a.example' }, 'url'],
    [{ url: 'https:///p' }, 'url'],
    [{ url: 'https://a.example:0/' }, 'url'],
    [{ url: 'https://a.example:65536/' }, 'url'],
    [{ url: 'https://a b/' }, 'url'],
    [{ url: 'https://a.example/', front: '' }, 'front'],
    [{ url: 'https://a.example/', front: 'cdn.example/p' }, 'front'],
    [{ url: 'https://a.example/', front: 'cdn.example,cdn.test' }, 'front'],
    [{ url: 'https://a.example/', front: 'cdn.example:0' }, 'front'],
    [{ url: 'https://a.example/', front: 'cdn.example:65536' }, 'front'],
    [{ url: 'https://a.example/', front: 'https://cdn.example' }, 'front'],
    [{ url: 'https://a.example/', front: '2001:db8::1' }, 'front'],
    [{ url: 'https://a.example/', front: '127.1' }, 'front'],
    [{ targets: '' }, 'targets'],
    [{ targets: 'https://a.example/' }, 'targets'],
    [{ targets: 'https://a.example/|,https://b.example/' }, 'targets'],
    [{ targets: '|cdn.example' }, 'targets'],
    [{ targets: 'https://a.example/|cdn.example+a/b' }, 'targets'],
  ])('%j is refused, by %s and without its value', (args, key) => {
    const error = ((): unknown => {
      try {
        return readRoutes(Args.from(args))
      } catch (error) {
        return error
      }
    })()
    expect(isPtError(error, 'PT_ARGS') && error.stage).toBe('argument')
    expect((error as Error).message).toContain(`'${key}'`)
    expect((error as Error).message).not.toMatch(/example|cdn|127/)
  })
})

describe('what is said of arguments', () => {
  test.each<[string, Record<string, string>, string[]]>([
    // As Tor Browser hands them out.
    [
      'meek_lite',
      { url: 'https://1314488750.rsc.cdn77.org', front: 'www.phpmyadmin.net', utls: 'HelloRandomizedALPN' },
      [],
    ],
    ['meek_lite', { url: 'https://d3pyjtpvxs6z0u.cloudfront.net/', front: 'd.example' }, []],
    ['meek', { targets: 'https://a.example/|f.example', utls: 'none' }, []],
    ['meek_lite', { url: 'http://a.example/' }, ['warning url']],
    ['meek_lite', { targets: 'https://a.example/|', url: 'https://a.example/' }, ['warning url']],
    ['meek_lite', { url: 'https://a.example/', utls: 'hellonobody' }, ['error utls']],
    ['meek_lite', { url: 'https://a.example/', profile: 'nobody' }, ['error profile']],
    ['meek_lite', { url: 'https://a.example/', fronts: 'f.example' }, ['warning fronts']],
    ['meek', { front: 'f.example' }, ['error url']],
  ])('%s %j: %j', (name, args, expected) => {
    const findings = checkArguments(name, Args.from(args), 'client')!
    expect(findings.map(({ severity, key }) => `${severity} ${key}`)).toEqual(expected)
  })
})
