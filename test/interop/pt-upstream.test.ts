/** The PT client as its own process, through upstream proxies that others wrote: everything through, nothing past them. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readExactly } from 'postern/io'
import type { ClientPt, LaunchClientOptions } from 'postern/parent'
import { launchClient } from 'postern/parent'
import { acceptSocks } from 'postern/socks'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { LoopbackServer } from '../loopback.ts'
import { echo, serve } from '../loopback.ts'
import { Events } from '../parent/fixtures.ts'
import { executable, rotByN } from '../pt/child.ts'
import { CLOSED_PORT, failureOf, isAlive, tempDir } from '../support.ts'
import { printed } from '../upstream/peers.ts'
import { proxies, PROXY_SOURCE } from './proxies.ts'
import { sha256 } from './traffic.ts'

const SIZE = 1024 * 1024
const N = 77
const args = { N: String(N) }
const exec = [process.execPath, executable, 'pt', '--load', rotByN]

async function launch(options: Partial<LaunchClientOptions> = {}): Promise<{ pt: ClientPt; events: Events }> {
  const events = new Events()
  const common = { exec, transports: ['rot_by_N'], stateDir: tempDir(), onEvent: events.onEvent }
  const pt = await launchClient({ ...common, ...options })
  onTestFinished(async () => void (await pt.stop()))
  return { pt, events }
}

/** Sends back what comes, and takes the SHA-256 of it: what the transport made of the application's bytes. */
async function wiretap(): Promise<LoopbackServer & { readonly seen: () => string }> {
  const hash = createHash('sha256')
  const target = await serve((conn) => {
    conn.on('data', (chunk: Buffer) => hash.update(chunk))
    echo(conn)
  })
  return { ...target, seen: () => hash.copy().digest('hex') }
}

const withLogin = proxies.filter(([name]) => / with (?:a password|Basic)/.test(name))

describe.runIf(process.platform === 'linux').each(withLogin)('%s', (_name, start, hosts) => {
  test('CENV-3, PROXY-2, ANON-3: carries 1 MiB there and back, and dies with its connections and no way around it', async (context) => {
    const target = await wiretap()
    const proxy = await start(context)
    const { pt, events } = await launch({ proxy: proxy.uri })
    expect(events.of('line').map(({ line }) => line)).toContain('PROXY DONE')
    const bridge = `127.0.0.1:${target.port}`

    const conn = await pt.connect('rot_by_N', bridge, { args })
    const sent = randomBytes(SIZE)
    conn.write(sent)
    expect(sha256(await readExactly(conn, SIZE))).toBe(sha256(sent))
    expect(target.seen()).toBe(sha256(sent.map((byte) => byte + N)))

    // What comes back is sent again, so there is always something on its way.
    const busy = await pt.connect('rot_by_N', bridge, { args })
    const ended = [conn, busy].map((one) => once(one, 'end').catch((error: unknown) => error))
    busy.on('data', (chunk: Buffer) => busy.write(chunk)).write('x'.repeat(1000))
    await once(busy, 'data')
    conn.resume()
    await proxy.kill()
    await Promise.all(ended)
    for (const one of [conn, busy]) one.destroy()

    for (const host of hosts) {
      const error = await failureOf(pt.connect('rot_by_N', `${host}:${target.port}`, { args }))
      expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy', reply: 1 })
      expect(error.reported).toMatch(/proxy of TOR_PT_PROXY failed: ECONNREFUSED/)
    }
    await target.allClosed()
    expect(target.accepted).toEqual([PROXY_SOURCE, PROXY_SOURCE])
  })

  test('CENV-3, ANON-3, ANON-4: with a wrong password nothing connects, and nobody is told user or password', async (context) => {
    const target = await serve(echo)
    const { uri } = await start(context)
    const { pt, events } = await launch({ proxy: { ...uri, password: 'wrong-one' } })
    const error = await failureOf(pt.connect('rot_by_N', `127.0.0.1:${target.port}`, { args }))
    expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy', reply: 1 })
    expect(error.reported).toMatch(/proxy of TOR_PT_PROXY failed: .*(?:refused the user name|TOR_PT_PROXY are)/)
    const said = events.all.filter(({ type }) => type !== 'launching')
    expect(printed([error, said])).not.toMatch(new RegExp(`${uri.user}:|${uri.password}|wrong-one`))
    expect(target.accepted).toEqual([])
  })
})

test('CENV-3, ANON-3: with a proxy that does not listen, every connection fails and none is direct', async () => {
  const target = await serve(echo)
  for (const protocol of ['socks5', 'socks4a', 'http'] as const) {
    const { pt } = await launch({ proxy: `${protocol}://127.0.0.1:${CLOSED_PORT}` })
    const error = await failureOf(pt.connect('rot_by_N', `127.0.0.1:${target.port}`, { args }))
    expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy', reply: 1 })
    expect(error.reported).toMatch(new RegExp(`the ${protocol} proxy of TOR_PT_PROXY failed: ECONNREFUSED`))
  }
  expect(target.accepted).toEqual([])
})

test('ANON-2: a host name is handed to the proxy as it is, even where this machine could resolve it', async () => {
  const asked: string[] = []
  const proxy = await serve(async (conn) => {
    const request = await acceptSocks(conn)
    asked.push(request.target)
    request.grant()
    echo(conn)
  })
  const { pt } = await launch({ proxy: `socks5://127.0.0.1:${proxy.port}` })
  for (const host of ['bridge.invalid', 'localhost']) {
    const conn = await pt.connect('rot_by_N', `${host}:443`, { args })
    conn.write('hello')
    expect(String(await readExactly(conn, 5))).toBe('hello')
    conn.end()
  }
  expect(asked).toEqual(['bridge.invalid:443', 'localhost:443'])
})

describe('a TOR_PT_PROXY that no parent of ours would set', () => {
  test.for([
    ['a host name', 'socks5://localhost:1080', /not <ip>:<port>/],
    ['another protocol', 'https://127.0.0.1:1080', /"https" proxies are not supported/],
    ['no port', 'socks5://127.0.0.1', /not <ip>:<port>/],
    ['words', 'a proxy', /expected <protocol>/],
    ['a password for SOCKS 4', 'socks4a://user:secret@127.0.0.1:1080', /SOCKS 4 has no passwords/],
  ] as const)('PROXY-1, PROXY-2, PROXY-3, PT_PROXY_URI: %s', async ([, uri, reason]) => {
    const events = new Events()
    const launching = launchClient({
      exec: ['env', `TOR_PT_PROXY=${uri}`, ...exec],
      transports: ['rot_by_N'],
      stateDir: tempDir(),
      proxy: `socks5://127.0.0.1:${CLOSED_PORT}`,
      onEvent: events.onEvent,
    })
    const error = await failureOf(launching)
    expect(error).toMatchObject({ code: 'PT_PROXY_URI', exit: { code: 1 } })
    expect(error.line).toMatch(/^PROXY-ERROR /)
    expect(error.line).toMatch(reason)
    expect(printed(error)).not.toMatch(/secret/)
    const lines = events.of('line').map(({ line }) => line)
    expect(lines.filter((line) => !line.startsWith('STATUS '))).toEqual(['VERSION 1', error.line])
    expect(isAlive(events.pid)).toBe(false)
  })
})
