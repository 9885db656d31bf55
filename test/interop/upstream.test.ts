/** Upstream proxies that others wrote: what goes through them, and that nothing goes past them. */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { ProxyUri } from 'postern/ipc'
import { readExactly } from 'postern/io'
import { makeConnect, makeDatagrams } from 'postern/upstream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { echo, serve } from '../loopback.ts'
import { failureOf } from '../support.ts'
import { forever, printed } from '../upstream/peers.ts'
import { danted, microsocks, proxies, PROXY_SOURCE } from './proxies.ts'
import { sha256 } from './traffic.ts'

const SIZE = 1024 * 1024

describe.runIf(process.platform === 'linux').each(proxies)('%s', (_name, start, hosts) => {
  test('CENV-3: carries 1 MiB there and back', async (context) => {
    const target = await serve(echo)
    const { uri } = await start(context)
    for (const host of hosts) {
      const conn = await makeConnect({ proxy: uri })(`${host}:${target.port}`, forever)
      const sent = randomBytes(SIZE)
      conn.write(sent)
      expect(sha256(await readExactly(conn, SIZE))).toBe(sha256(sent))
      conn.destroy()
    }
    expect(target.accepted).toEqual(hosts.map(() => PROXY_SOURCE))
  })

  test('CENV-3, ANON-3: killed in mid-transfer, it takes the connection along, and nothing goes around it', async (context) => {
    const target = await serve(echo)
    const proxy = await start(context)
    const connect = makeConnect({ proxy: proxy.uri, connectTimeout: 10_000 })
    const conn = await connect(`127.0.0.1:${target.port}`, forever)
    conn.write('x'.repeat(1000))
    await readExactly(conn, 500)

    // What comes back is sent again, so there is always something on its way.
    conn.on('data', (chunk: Buffer) => conn.write(chunk))
    const dead = once(conn, 'end').catch((error: unknown) => error)
    await proxy.kill()
    await dead
    conn.destroy()

    for (let attempt = 0; attempt < 3; attempt++) {
      const error = await failureOf(connect(`127.0.0.1:${target.port}`, forever))
      expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy', cause: { code: 'ECONNREFUSED' } })
    }
    await target.allClosed()
    expect(target.accepted).toEqual([PROXY_SOURCE])
  })

  test('PT_PROXY: a target that refuses is told by the proxy', async (context) => {
    const { uri } = await start(context)
    const error = await failureOf(makeConnect({ proxy: uri })('127.0.0.1:1', forever))
    expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy' })
    const told = { socks5: /reply 5: connection refused/, socks4a: /reply 91/, http: /answered 5\d\d / }
    expect(error.message).toMatch(told[uri.protocol])
  })
})

describe.runIf(process.platform === 'linux').each(proxies.filter(([name]) => / with (?:a password|Basic)/.test(name)))(
  '%s that is wrong',
  (_name, start) => {
    test('CENV-3, ANON-3: is refused, and neither user nor password is in the error', async (context) => {
      const target = await serve(echo)
      const { uri } = await start(context)
      const wrong: ProxyUri = { ...uri, password: 'wrong-one' }
      const { user, password, ...without } = uri
      for (const proxy of [wrong, without]) {
        const error = await failureOf(makeConnect({ proxy })(`127.0.0.1:${target.port}`, forever))
        expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy' })
        expect(error.message).toMatch(
          /refused the user name and password|authentication that was not offered|TOR_PT_PROXY are/,
        )
        expect(printed(error)).not.toMatch(new RegExp(`${user}|${password}|wrong-one`))
      }
      expect(target.accepted).toEqual([])
    })
  },
)

describe.runIf(process.platform === 'linux')('datagrams', () => {
  /** The addresses from which datagrams came to a UDP echo, and its port. */
  async function udpEcho(): Promise<{ port: number; sources: Set<string> }> {
    const sources = new Set<string>()
    const socket = createSocket('udp4')
    socket.on('message', (message, { port, address }) => {
      sources.add(address)
      socket.send(message, port, address)
    })
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    onTestFinished(() => void socket.close())
    return { port: socket.address().port, sources }
  }

  test('CENV-3: danted carries them there and back, by UDP ASSOCIATE', async (context) => {
    const [{ uri }, { port, sources }] = [await danted(context), await udpEcho()]
    const flow = await makeDatagrams({ proxy: uri })(`127.0.0.1:${port}`, forever)
    for (const size of [1, 600, 1_200]) {
      const sent = randomBytes(size)
      flow.send(sent)
      expect((await flow.next()).value).toEqual(sent)
    }
    flow.close()
    expect([...sources]).toEqual([PROXY_SOURCE])
  })

  test('CENV-3, ANON-3: microsocks, which has no UDP ASSOCIATE, is an error, and nothing goes around it', async (context) => {
    const [{ uri }, { port, sources }] = [await microsocks(context), await udpEcho()]
    const error = await failureOf(makeDatagrams({ proxy: uri })(`127.0.0.1:${port}`, forever))
    expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy' })
    expect([...sources]).toEqual([])
  })
})
