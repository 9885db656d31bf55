/**
 * curl as the application, straight at the SOCKS port of a PT client that runs as a process of its own:
 *
 *     curl ── SOCKS 5, 4a or 4, N in the user name ── postern pt ══ rot_by_N ══ postern pt ── web server
 *
 * socks-curl.test.ts says what curl can carry. An N for SOCKS 5 is cut in two at curl's colon: `N=:13`.
 */
import { createServer } from 'node:http'
import { listen } from 'postern/io'
import type { TestContext } from 'vitest'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { PtProcess } from '../pt/child.ts'
import { clientEnv, portIn, runChild, serverEnv } from '../pt/child.ts'
import { withoutPort } from '../pt/support.ts'
import { peer } from '../support.ts'
import { curlOptions, run } from './program.ts'

const BODY = 'a page behind rot_by_N\n'.repeat(10_000)

interface Chain {
  /** Runs curl with these options, PROXY for the PT client's port, for a page at the PT server's port of `host`. */
  readonly fetch: (host: string, ...options: string[]) => ReturnType<typeof run>
  /** The requests that the web server got. */
  readonly requests: string[]
  readonly client: PtProcess
}

async function chain(context: TestContext, N: string): Promise<Chain> {
  const program = peer('curl', context)
  const requests: string[] = []
  const web = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    response.end(BODY)
  })
  onTestFinished(() => web.close().closeAllConnections())
  const { port: webPort } = await listen(web, '127.0.0.1', 0)
  const options = { TOR_PT_ORPORT: `127.0.0.1:${webPort}`, TOR_PT_SERVER_TRANSPORT_OPTIONS: `rot_by_N:N=${N}` }
  const server = runChild({ env: serverEnv(options) })
  const client = runChild({ env: clientEnv() })
  const bridge = portIn(await server.line('SMETHOD '))
  const proxy = `127.0.0.1:${portIn(await client.line('CMETHOD '))}`
  const fetch: Chain['fetch'] = (host, ...words) =>
    run(program, [
      ...curlOptions,
      ...words.map((word) => word.replace('PROXY', proxy)),
      `http://${host}:${bridge}/page`,
    ])
  return { fetch, requests, client }
}

describe.each([
  ['ARGS-1, ARCH-2: --socks5-hostname', '--socks5-hostname', 'localhost', (n: string) => `N=:${n}`],
  ['ARGS-1, ARCH-2: --socks5', '--socks5', '127.0.0.1', (n: string) => `N=:${n}`],
  ['ARGS-3, ARCH-2: --socks4a', '--socks4a', 'localhost', (n: string) => `N=${n}:`],
  ['ARGS-3, ARCH-2: --socks4', '--socks4', '127.0.0.1', (n: string) => `N=${n}:`],
])('%s', (_title, option, host, user) => {
  test('fetches a page with the right N, and with no other', async (context) => {
    const { fetch, requests, client } = await chain(context, '200')
    const right = await fetch(host, option, 'PROXY', '--proxy-user', user('200'))
    expect(right).toEqual({ status: 0, stdout: BODY, stderr: '' })
    expect(requests).toEqual(['GET /page'])

    const wrong = await fetch(host, option, 'PROXY', '--proxy-user', user('13'))
    expect(wrong.status).not.toBe(0)
    expect(wrong.stdout).toBe('')

    const four = option.startsWith('--socks4')
    for (const [login, reason] of [
      [[], "missing argument 'N'"],
      [['--proxy-user', user('256')], "argument 'N' is no number"],
    ] as const) {
      const refused = await fetch(host, option, 'PROXY', ...login)
      // CURLE_PROXY, with the reply in its words.
      expect(refused).toMatchObject({ status: 97, stdout: '' })
      expect(refused.stderr).toMatch(four ? /\(91\), request rejected/ : /\(1\)/)
      const told = `STATUS TRANSPORT=rot_by_N CONNECT=Failed ERRSTR="${reason}`
      await expect.poll(() => client.lines().map(withoutPort)).toContainEqual(expect.stringContaining(told))
    }
    expect(requests).toEqual(['GET /page'])
  })
})
