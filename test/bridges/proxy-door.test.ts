/** An upstream proxy by name: looked up by us at each connection, and never gone around. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openBridge, parseNamedProxy } from '../../src/app/index.ts'
import { relay } from '../../src/io/carry/relay.ts'
import type { PtEvent } from '../../src/parent/index.ts'
import { acceptSocks } from '../../src/socks/index.ts'
import { builtIns } from '../../src/transports/index.ts'
import { failureOf } from '../support.ts'
import { ownPt, serve, serveEcho, startBridge } from './bridges.ts'

interface Proxy {
  readonly port: number
  /** The targets that were asked for. */
  readonly targets: readonly string[]
}

/** A SOCKS 5 proxy that wants the password, and says nothing where it leads. */
async function serveProxy(password: string): Promise<Proxy> {
  const targets: string[] = []
  const port = await serve(
    createServer({ allowHalfOpen: true }, (conn) => {
      void acceptSocks(conn, { password }).then(
        async (request) => {
          targets.push(request.target)
          const [host = '', port = ''] = request.target.split(':')
          const far = connect({ host, port: Number(port), allowHalfOpen: true })
          await once(far, 'connect')
          request.grant()
          await relay(conn, far).catch(() => undefined)
        },
        () => undefined,
      )
    }),
  )
  return { port, targets }
}

describe.each([
  ['in this process', { transports: builtIns }],
  ['by a PT', { exec: ownPt }],
])('dialled %s', (_, how) => {
  test.each(['socks5', 'socks5h'])('%s://user:password@localhost:PORT carries each connection', async (type) => {
    const proxy = await serveProxy('p@ss/w')
    const line = await startBridge(await serveEcho())
    await using bridge = await openBridge(line, { ...how, proxy: `${type}://me:p@ss/w@localhost:${proxy.port}` })
    for (const words of ['one', 'two']) {
      const conn = await bridge.connect()
      conn.write(words)
      expect(((await once(conn, 'data')) as [Buffer])[0].toString()).toBe(words)
      conn.destroy()
    }
    const target = /127\.0\.0\.1:\d+/.exec(line)![0]
    expect(proxy.targets).toEqual([target, target])
  })

  test('a name that leads nowhere, or to nobody, is an error of the proxy, and nothing goes to the bridge', async () => {
    let reached = 0
    const port = await serve(createServer(() => reached++))
    for (const [proxy, why] of [
      ['http://no-such-proxy.invalid:3128', 'its name cannot be resolved'],
      ['socks5://localhost:1', 'no connection to it can be made'],
    ] as const) {
      const events: PtEvent[] = []
      const bridge = await openBridge(`obfs3 127.0.0.1:${port}`, {
        ...how,
        proxy,
        onPtEvent: (event) => events.push(event),
      })
      onTestFinished(() => bridge.close())
      const error = await failureOf(bridge.connect())
      expect(error).toMatchObject({ stage: 'proxy' })
      expect(error.message).not.toMatch(/localhost|no-such-proxy/)
      expect(events).toContainEqual({ type: 'log', severity: 'warning', message: `the upstream proxy: ${why}` })
    }
    expect(reached).toBe(0)
  })
})

test('the door closes with its bridge', async () => {
  const servers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length
  // Those of the tests before this one close with their last connection.
  await expect.poll(servers).toBe(0)
  const bridge = await openBridge('obfs3 127.0.0.1:1', { transports: builtIns, proxy: 'http://localhost:3128' })
  expect(servers()).toBe(1)
  await bridge.close()
  await expect.poll(servers).toBe(0)
})

test.each([
  ['http://proxy.corp.example:3128', 'http', 'proxy.corp.example:3128', true],
  ['socks5h://u:p@proxy:1080/', 'socks5', 'proxy:1080', true],
  ['SOCKS5H://192.0.2.1:1080', 'socks5', '192.0.2.1:1080', false],
  ['socks4a://localhost:9050', 'socks4a', 'localhost:9050', true],
  ['socks5://[2001:db8::1]:1080', 'socks5', '[2001:db8::1]:1080', false],
  ['http://a:b@c/d@proxy.example:80', 'http', 'proxy.example:80', true],
])('%s is read', (text, protocol, target, isName) => {
  expect(parseNamedProxy(text)).toMatchObject({ uri: { protocol }, target, isName })
})

test.each([
  'proxy.corp.example:3128',
  'ftp://proxy:21',
  'http://proxy',
  'http://proxy:0',
  'http://proxy:70000',
  'http://10.0.0:80',
  'http://0x7f.1:80',
  'http://pro xy:80',
  'http://proxy:80/path',
  'socks4a://u:p@proxy:80',
  'http://',
  '',
])('%s is no proxy', (text) => {
  expect(() => parseNamedProxy(text)).toThrow(expect.objectContaining({ code: 'PT_PROXY_URI' }))
})
