/**
 * curl and ncat through a small forward proxy on acceptSocks, with arguments in user name and password.
 *
 * What they can carry (curl 7.88, ncat 7.93):
 *
 * - Both cut `user:password` at the first colon, so a `:` of the arguments is the cut and is lost; a proxy URL of curl
 *   (`-x socks5h://…`) is percent-decoded and so carries any (`%3A`).
 * - For SOCKS 5 curl sends both fields, always. Neither can send the single NUL that is "no more": an empty password goes
 *   out with length 0, which RFC 1929 forbids and we refuse. So the end of the arguments is the password: `k=:v`.
 *   (With `%00` in a proxy URL curl drops the proxy without a word and connects directly. Never use it.)
 * - For SOCKS 4 the user name is all that is sent; the password is dropped. `k=v:` carries k=v.
 */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { Server } from 'node:net'
import { connect, createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseTarget } from '../../src/ipc/index.ts'
import { listen } from '../../src/io/tcp/listen.ts'
import { relay } from '../../src/io/carry/relay.ts'
import type { SocksVersion } from '../../src/socks/index.ts'
import { acceptSocks } from '../../src/socks/index.ts'
import { CLOSED_PORT, peer } from '../support.ts'
import { curlOptions, run } from './program.ts'

type Pairs = readonly (readonly [key: string, value: string])[]

/** A way to ask a proxy, and what the proxy has to see of it. */
type Row = readonly [title: string, options: string[], host: string, version: SocksVersion, args: Pairs]

interface Seen {
  readonly version: SocksVersion
  readonly target: string
  readonly args: Pairs
}

interface Fixture {
  readonly web: number
  readonly proxy: string
  readonly seen: Seen[]
  /** How each connection ended: with an error, or `undefined`. */
  readonly ends: Promise<unknown>[]
}

const BODY = 'through the proxy'

/** A web server, and a proxy that sends each granted connection there; `example.invalid` is the proxy's to resolve. */
async function start(): Promise<Fixture> {
  const web = createHttpServer((_request, response) => response.end(BODY))
  const seen: Seen[] = []
  const ends: Promise<unknown>[] = []
  const proxy = createServer({ allowHalfOpen: true, noDelay: true }, (conn) => {
    const serve = async (): Promise<void> => {
      const request = await acceptSocks(conn)
      seen.push({ version: request.version, target: request.target, args: request.args.toJSON() })
      const upstream = connect({ host: '127.0.0.1', port: parseTarget(request.target).port, allowHalfOpen: true })
      try {
        await once(upstream, 'connect')
      } catch (error) {
        return request.refuse(error)
      }
      request.grant()
      await relay(conn, upstream)
    }
    ends.push(
      serve().then(
        () => undefined,
        (error: unknown) => error,
      ),
    )
  })
  const [webPort, proxyPort] = await Promise.all([listening(web), listening(proxy)])
  return { web: webPort, proxy: `127.0.0.1:${proxyPort}`, seen, ends }
}

async function listening(server: Server): Promise<number> {
  onTestFinished(() => void server.close())
  return (await listen(server, '127.0.0.1', 0)).port
}

describe('curl', () => {
  const rows: readonly Row[] = [
    ['ARCH-3: --socks5-hostname', ['--socks5-hostname', 'PROXY'], 'example.invalid', 5, []],
    ['--socks5', ['--socks5', 'PROXY'], '127.0.0.1', 5, []],
    ['--socks5 with IPv6', ['--socks5', 'PROXY'], '[::1]', 5, []],
    ['ARCH-2: --socks4a', ['--socks4a', 'PROXY'], 'example.invalid', 4, []],
    ['ARCH-2: --socks4', ['--socks4', 'PROXY'], '127.0.0.1', 4, []],
    [
      'ARGS-1, ARGS-4: --socks5-hostname and arguments that the colon cuts',
      ['--socks5-hostname', 'PROXY', '--proxy-user', 'k=v;x=:y'],
      'example.invalid',
      5,
      [
        ['k', 'v'],
        ['x', 'y'],
      ],
    ],
    [
      'ARGS-1, ARGS-4: --socks5 and a colon behind the first, which stays',
      ['--socks5', 'PROXY', '--proxy-user', 'url=https:://192.0.2.1/'],
      '127.0.0.1',
      5,
      [['url', 'https://192.0.2.1/']],
    ],
    [
      'ARGS-1, ARGS-2: a proxy URL with escapes of both kinds',
      ['-x', String.raw`socks5h://k=a%3Ab%5C%3Bc:%3Bx=y@PROXY`],
      'example.invalid',
      5,
      [
        ['k', 'a:b;c'],
        ['x', 'y'],
      ],
    ],
    [
      'ARGS-3: --socks4a and arguments in the user name',
      ['--socks4a', 'PROXY', '--proxy-user', 'k=v;x=y:'],
      'example.invalid',
      4,
      [
        ['k', 'v'],
        ['x', 'y'],
      ],
    ],
    ['ARGS-3: --socks4 and arguments', ['--socks4', 'PROXY', '--proxy-user', 'k=v:'], '127.0.0.1', 4, [['k', 'v']]],
  ]

  test.for(rows)('%s', async ([, options, host, version, args], context) => {
    const program = peer('curl', context)
    const { web, proxy, seen, ends } = await start()
    const proxied = options.map((option) => option.replace('PROXY', proxy))
    const ended = await run(program, [...curlOptions, ...proxied, `http://${host}:${web}/`])
    expect(ended).toEqual({ status: 0, stdout: BODY, stderr: '' })
    expect(seen).toEqual([{ version, target: `${host}:${web}`, args }])
    expect(await Promise.all(ends)).toEqual([undefined])
  })

  test('ARGS-6: malformed arguments and an empty password are refused, and no connection is made', async (context) => {
    const program = peer('curl', context)
    const { web, proxy, seen, ends } = await start()
    for (const [option, user, code] of [
      ['--socks5-hostname', 'no-pair:x', 'PT_ARGS'],
      ['--socks5-hostname', 'k=v:', 'PT_SOCKS'],
      ['--socks4a', 'no-pair:', 'PT_ARGS'],
    ] as const) {
      const url = `http://example.invalid:${web}/`
      const { status, stderr } = await run(program, [...curlOptions, option, proxy, '--proxy-user', user, url])
      expect(status).toBe(97) // CURLE_PROXY: it took our answer as the protocol's own
      expect(stderr).toMatch(option === '--socks4a' ? /\(91\), request rejected/ : /User was rejected .*\(1 1\)/)
      expect(await ends.pop()).toMatchObject({ code })
    }
    expect(seen).toEqual([])
  })

  test('a refused connection is told by its reply code', async (context) => {
    const program = peer('curl', context)
    const { proxy, ends } = await start()
    const url = `http://example.invalid:${CLOSED_PORT}/`
    const five = await run(program, [...curlOptions, '--socks5-hostname', proxy, url])
    expect(five).toMatchObject({ status: 97, stderr: expect.stringContaining('(5)') })
    const four = await run(program, [...curlOptions, '--socks4a', proxy, url])
    expect(four).toMatchObject({ status: 97, stderr: expect.stringContaining('(91)') })
    expect(await Promise.all(ends)).toEqual([undefined, undefined])
  })

  test('HTTP to the SOCKS port is PT_SOCKS with a hint, and closed', async (context) => {
    const program = peer('curl', context)
    const { web, proxy, ends } = await start()
    const { status } = await run(program, [...curlOptions, '-x', `http://${proxy}`, `http://127.0.0.1:${web}/`])
    expect(status).not.toBe(0)
    expect(await Promise.all(ends)).toMatchObject([
      { code: 'PT_SOCKS', message: expect.stringContaining('HTTP client') },
    ])
  })
})

describe('ncat', () => {
  const rows: readonly Row[] = [
    ['ARCH-3: --proxy-type socks5', ['socks5'], 'example.invalid', 5, []],
    [
      'ARGS-1, ARGS-4: socks5 with --proxy-auth',
      ['socks5', '--proxy-auth', 'k=v;x=:y'],
      'example.invalid',
      5,
      [
        ['k', 'v'],
        ['x', 'y'],
      ],
    ],
    ['ARCH-2: --proxy-type socks4', ['socks4'], '127.0.0.1', 4, []],
    [
      'ARCH-2, ARGS-3: socks4 with --proxy-auth',
      ['socks4', '--proxy-auth', 'k=v;x=y'],
      'example.invalid',
      4,
      [
        ['k', 'v'],
        ['x', 'y'],
      ],
    ],
  ]

  test.for(rows)('%s', async ([, options, host, version, args], context) => {
    const program = peer('ncat', context)
    const { web, proxy, seen, ends } = await start()
    const request = 'GET / HTTP/1.0\r\n\r\n'
    const ended = await run(program, ['--proxy', proxy, '--proxy-type', ...options, host, String(web)], request)
    expect(ended.stdout).toMatch(new RegExp(`${BODY}$`))
    expect(seen).toEqual([{ version, target: `${host}:${web}`, args }])
    expect(await Promise.all(ends)).toEqual([undefined])
  })
})
