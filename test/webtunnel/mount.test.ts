/** A webtunnel bridge in a web server of Node. */
import { once } from 'node:events'
import type { RequestListener, Server } from 'node:http'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { readExactly } from 'postern/io'
import { connectTls } from 'postern/tls'
import type { MountOptions } from 'postern/webtunnel'
import { mountWebtunnel } from 'postern/webtunnel'
import { expect, onTestFinished, test } from 'vitest'
import { drain, untilFinished } from '../io/streams.ts'
import { authority } from '../tls/authority.ts'

const url = 'https://site.example/secret'
const upgrade = 'GET /secret HTTP/1.1\r\nHost: site.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'
const accepted = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'
const echo = (stream: Duplex): void => void stream.pipe(stream)
const site: RequestListener = ({ url }, response) => response.writeHead(url === '/' ? 200 : 404).end(`site: ${url}`)

interface Site {
  readonly server: Server
  readonly dial: () => Promise<Duplex>
}

async function running(server: Server): Promise<Site> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const open = new Set<Duplex>()
  server.on('connection', (conn) => open.add(conn))
  onTestFinished(() => {
    server.close()
    for (const conn of open) conn.destroy()
  })
  const dial = async (): Promise<Duplex> => {
    const conn = untilFinished(connect({ port, host: '127.0.0.1', allowHalfOpen: true }))
    await once(conn, 'connect')
    return conn
  }
  return { server, dial }
}

async function mounted(options: Partial<MountOptions> = {}): Promise<Site & ReturnType<typeof mountWebtunnel>> {
  const up = await running(createServer(site))
  return { ...up, ...mountWebtunnel(up.server, { url, onConnection: echo, ...options }) }
}

test('a request for the path becomes a tunnel, with what came after its head', async () => {
  const { dial, bridgeLine } = await mounted()
  const conn = await dial()
  conn.write(`${upgrade}hello`)
  expect(String(await readExactly(conn, accepted.length + 5))).toBe(`${accepted}hello`)
  expect(bridgeLine).toMatch(/^webtunnel \[2001:db8:[0-9a-f:]+\]:443 url=https:\/\/site\.example\/secret ver=0\.0\.7$/)
})

test('the site answers everything else as before, also upgrades that it does not know', async () => {
  const { dial } = await mounted()
  const pages = [
    'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
    upgrade.replace('/secret', '/other'),
    upgrade.replace('/secret', '/'),
  ]
  const answers = await Promise.all(
    [...pages, 'GET /secret HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'].map(async (request) => {
      const conn = await dial()
      const received = drain(conn)
      conn.end(request)
      const text = String(await received)
      return [text.slice(9, 12), /site: \S*/.exec(text)?.[0]]
    }),
  )
  expect(answers).toEqual([
    ['200', 'site: /'],
    ['404', 'site: /other'],
    ['200', 'site: /'],
    ['404', 'site: /secret'],
  ])
})

test('another listener for upgrades keeps its own requests', async () => {
  const { server, dial } = await mounted()
  server.on('upgrade', ({ url }, conn) => void (url === '/chat' && conn.end('HTTP/1.1 101 Chat\r\n\r\n')))
  const conn = await dial()
  conn.write(upgrade.replace('/secret', '/chat'))
  expect(String(await drain(conn))).toBe('HTTP/1.1 101 Chat\r\n\r\n')
})

test('after unmount() the path is one like any other, and tunnels that are open go on', async () => {
  const { dial, unmount } = await mounted()
  const conn = await dial()
  conn.write(upgrade)
  await readExactly(conn, accepted.length)
  unmount()
  conn.write('still here')
  expect(String(await readExactly(conn, 10))).toBe('still here')
  const late = await dial()
  const received = drain(late)
  late.end(upgrade)
  expect(String(await received)).toContain('site: /secret')
})

test('the address of the client is that of the front if one is trusted, and that of the connection otherwise', async () => {
  const clients: (string | undefined)[] = []
  const { dial } = await mounted({
    onConnection: (stream, { userAddr }) => void (clients.push(userAddr), stream.end()),
  })
  for (const field of ['X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n', '']) {
    const conn = await dial()
    conn.write(upgrade.replace('\r\n\r\n', `\r\n${field}\r\n`))
    await drain(conn)
  }
  expect(clients).toEqual(['192.0.2.7:1', expect.stringMatching(/^127\.0\.0\.1:\d+$/)])
})

test('it works in a server with HTTPS, and with a client that has the ClientHello of a browser', async () => {
  const { root, leaf } = authority(['site.example'])
  const secure = createSecureServer({ key: leaf.keyPem, cert: leaf.pem }, site)
  const { dial } = await running(secure)
  mountWebtunnel(secure, { url, onConnection: echo })
  const conn = await connectTls(await dial(), { servername: 'site.example', roots: root.pem })
  conn.write(`${upgrade}hello`)
  expect(String(await readExactly(conn, accepted.length + 5))).toBe(`${accepted}hello`)
  conn.destroy()
})

test('wrong options are named', async () => {
  const { server } = await running(createServer(site))
  const bad =
    (options: object): (() => unknown) =>
    () =>
      mountWebtunnel(server, { url, onConnection: echo, ...options })
  expect(() => mountWebtunnel({} as never, { url, onConnection: echo })).toThrow('mountWebtunnel: server has to be')
  expect(bad({ onConnection: undefined })).toThrow('mountWebtunnel: ')
  expect(bad({ urls: [] })).toThrow('there is no option urls')
  expect(bad({ url: 'site.example/secret' })).toThrow("malformed argument 'url': it is no URL")
  expect(bad({ trust: 'everybody' })).toThrow("malformed argument 'trust'")
  expect(bad({ args: { servername: 'a b' } })).toThrow("malformed argument 'servername'")
  expect(server.listenerCount('upgrade')).toBe(0)
})
