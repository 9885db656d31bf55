/** The client beside fronts that say what a test wants: literal bytes over TCP, and TLS where it matters. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { readExactly, readUntil } from 'postern/io'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Args } from '../../../src/ipc/index.ts'
import { chainHash, profiles } from '../../../src/tls/index.ts'
import { webtunnelClient } from '../../../src/transports/webtunnel/client.ts'
import { acceptOf } from '../../../src/transports/webtunnel/websocket.ts'
import type { Client, ClientSession } from '../../../src/transport.ts'
import { serve } from '../../loopback.ts'
import { echoed, failureOf } from '../../support.ts'
import { clientSession, silent } from '../harness.ts'
import { host, leaf, middlebox, otherHost, root, tlsFront } from '../web/fronts.ts'

const END = Buffer.from('\r\n\r\n')
const CHANGED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'

async function headOf(conn: Duplex): Promise<string> {
  return (await readUntil(conn, END, 16_384)).toString('latin1')
}

/** A front without TLS, which does this after the request. */
async function front(answer: (conn: Socket, head: string) => unknown): Promise<number> {
  const { port } = await serve((conn) => {
    headOf(conn).then(
      (head) => answer(conn, head),
      () => conn.destroy(),
    )
  })
  return port
}

function client(): Client {
  return webtunnelClient(silent)
}

async function dial(
  args: Record<string, string>,
  { by = client(), ...session }: { by?: Client } & Partial<ClientSession> = {},
): Promise<Duplex> {
  const stream = await by.dial(clientSession({ target: '[2001:db8::1]:443', args: Args.from(args), ...session }))
  onTestFinished(() => void stream.on('error', () => undefined).destroy())
  return stream
}

const plain = (port: number, path = '/secret'): Record<string, string> => ({ url: `http://127.0.0.1:${port}${path}` })
const secure = (port: number): Record<string, string> => ({ url: `https://${host}/secret`, addr: `127.0.0.1:${port}` })

/** A front with TLS, which lets every request in. */
async function tunnel(use: (conn: Duplex) => unknown = (conn) => conn.pipe(conn)): ReturnType<typeof tlsFront> {
  return await tlsFront((conn) => {
    const letIn = (): void => {
      conn.write(CHANGED)
      use(conn)
    }
    headOf(conn).then(letIn, () => conn.destroy())
  })
}

describe('the request', () => {
  /** The head as the front gets it, with the key taken out. */
  async function requestOf(args: Record<string, string>): Promise<string[]> {
    let seen = ''
    const port = await front((conn, head) => {
      seen = head
      conn.write(CHANGED)
    })
    await dial({ ...plain(port, '/a%2Fb//c?d'), ...args })
    const key = /\r\nSec-WebSocket-Key: ([A-Za-z0-9+/]{22}==)\r\n/i.exec(seen)?.[1] ?? 'none'
    return seen.replace(key, 'KEY').replace(`:${port}`, ':PORT').replace(`:${port}`, ':PORT').split('\r\n')
  }

  test('is that of Chromium for a WebSocket, without the field for its frames', async () => {
    const version = /\d+/.exec(profiles['chromium-websocket'].name)?.[0]
    expect(await requestOf({})).toEqual([
      'GET /a%2Fb//c HTTP/1.1',
      'Host: 127.0.0.1:PORT',
      'Connection: Upgrade',
      'Pragma: no-cache',
      'Cache-Control: no-cache',
      `User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version}.0.0.0 Safari/537.36`,
      'Upgrade: websocket',
      'Origin: http://127.0.0.1:PORT',
      'Sec-WebSocket-Version: 13',
      'Accept-Encoding: gzip, deflate, br, zstd',
      'Accept-Language: en-US,en;q=0.9',
      'Sec-WebSocket-Key: KEY',
      '',
      '',
    ])
  })

  test('is that of Firefox with the hello of Firefox', async () => {
    const version = /\d+/.exec(profiles.firefox.name)?.[0]
    expect(await requestOf({ utls: 'hellofirefox_auto' })).toEqual([
      'GET /a%2Fb//c HTTP/1.1',
      'Host: 127.0.0.1:PORT',
      `User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:${version}.0) Gecko/20100101 Firefox/${version}.0`,
      'Accept: */*',
      'Accept-Language: en-US,en;q=0.9',
      'Accept-Encoding: gzip, deflate, br, zstd',
      'Sec-WebSocket-Version: 13',
      'Origin: http://127.0.0.1:PORT',
      'Sec-WebSocket-Key: KEY',
      'Connection: Upgrade',
      'Sec-Fetch-Dest: empty',
      'Sec-Fetch-Mode: websocket',
      'Sec-Fetch-Site: same-origin',
      'Pragma: no-cache',
      'Cache-Control: no-cache',
      'Upgrade: websocket',
      '',
      '',
    ])
  })

  test('is that of Node with the hello of Node', async () => {
    expect(await requestOf({ utls: 'none' })).toEqual([
      'GET /a%2Fb//c HTTP/1.1',
      'host: 127.0.0.1:PORT',
      'connection: upgrade',
      'upgrade: websocket',
      'sec-websocket-key: KEY',
      'sec-websocket-version: 13',
      'accept: */*',
      'accept-language: *',
      'sec-fetch-mode: websocket',
      'user-agent: node',
      'pragma: no-cache',
      'cache-control: no-cache',
      'accept-encoding: gzip, deflate',
      '',
      '',
    ])
  })

  test('goes out in one write, and nothing follows it before the answer', async () => {
    let chunks = 0
    const { port } = await serve((conn) => conn.on('data', () => (++chunks === 1 ? conn.write(CHANGED) : undefined)))
    await dial(plain(port))
    expect(chunks).toBe(1)
  })

  test('names the front that the certificate is for, whatever name the hello has', async () => {
    let seen = ''
    const { port } = await tlsFront(async (conn) => {
      seen = await headOf(conn)
      conn.write(CHANGED)
    })
    await dial({ ...secure(port), url: `https://${host}:8443/secret`, 'sni-imitation': otherHost })
    expect(seen).toContain(`\r\nHost: ${host}:8443\r\n`)
    expect(seen).toContain(`\r\nOrigin: https://${host}:8443\r\n`)
  })
})

describe('an answer that opens the tunnel', () => {
  const heads = [
    CHANGED,
    'HTTP/1.1 101 Web Socket Protocol Handshake\r\nServer: nginx\r\nConnection: keep-alive, Upgrade\r\nUpgrade: foo, WebSocket\r\n\r\n',
    'HTTP/1.0 101\nUpgrade: websocket\n\n',
    'HTTP/1.1 101 \xe9\r\n\r\n',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${CHANGED}`,
  ]

  test.each(heads)('is taken in one piece with what follows it: %j', async (head) => {
    const port = await front((conn) => conn.write(Buffer.from(`${head}hello`, 'latin1')))
    expect(String(await readExactly(await dial(plain(port)), 5))).toBe('hello')
  })

  test.each(heads)('is taken byte by byte: %j', async (head) => {
    const port = await front(async (conn) => {
      for (const byte of Buffer.from(`${head}hello`, 'latin1')) {
        await new Promise((resolve) => conn.write(Buffer.of(byte), resolve))
      }
    })
    expect(String(await readExactly(await dial(plain(port)), 5))).toBe('hello')
  })

  test('may have the Sec-WebSocket-Accept of the key', async () => {
    const port = await front((conn, head) => {
      const key = /Sec-WebSocket-Key: (\S+)/.exec(head)?.[1] ?? ''
      conn.write(CHANGED.replace('Upgrade', `Sec-WebSocket-Accept: ${acceptOf(key)}\r\nUpgrade`))
      conn.pipe(conn)
    })
    expect(await echoed(await dial(plain(port)), 'hello')).toBe('hello')
  })
})

test('the accept of the example in RFC 6455, section 1.3', () => {
  expect(acceptOf('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

describe('an answer that does not', () => {
  test.each<[string, string, RegExp]>([
    ['HTTP/1.1 404 Not Found', 'path', /answered 404: the path .* is wrong, or the bridge is gone/],
    ['HTTP/1.1 410 Gone', 'path', /answered 410/],
    ['HTTP/1.1 502 Bad Gateway', 'backend', /answered 502: it cannot reach the bridge, which is down/],
    ['HTTP/1.1 503 No', 'backend', /answered 503/],
    ['HTTP/1.1 504 No', 'backend', /answered 504/],
    ['HTTP/1.1 200 OK', 'upgrade', /answered 200: it is there, and does not know this path/],
    ['HTTP/1.1 302 Found', 'upgrade', /answered 302: it wants to send us elsewhere/],
    ['HTTP/1.1 400 Bad Request', 'upgrade', /answered 400: it does not take such a request/],
    ['HTTP/1.1 403 Forbidden', 'upgrade', /answered 403: it does not let us in/],
    ['HTTP/1.1 429 Too Many', 'upgrade', /answered 429: it gets too many requests/],
    ['HTTP/1.1 500 Oops', 'upgrade', /answered 500: it is broken/],
    ['HTTP/1.1 101 Other\r\nUpgrade: h2c', 'upgrade', /changed to another protocol/],
    ['HTTP/1.1 101 Key\r\nSec-WebSocket-Accept: x', 'upgrade', /answered to another key/],
    ['HTTP/2 101', 'upgrade', /does not speak HTTP\/1\.1/],
    ['SSH-2.0-OpenSSH_9.2', 'upgrade', /does not speak HTTP\/1\.1/],
  ])('%j fails at the stage %s', async (head, stage, message) => {
    const port = await front((conn) => conn.write(`${head}\r\nX-Secret: quux\r\n\r\n`))
    const error = await failureOf(dial(plain(port, '/quux')))
    expect(error).toMatchObject({ code: 'PT_HANDSHAKE', stage, message: expect.stringMatching(message) as string })
    expect(error.message).not.toContain('quux')
  })

  test('has 16 KiB for its heads, and no more', async () => {
    const port = await front((conn) =>
      conn.write(`HTTP/1.1 101 Switching Protocols\r\nX: ${'x'.repeat(16_384)}\r\n\r\n`),
    )
    expect(await failureOf(dial(plain(port)))).toMatchObject({ code: 'PT_LIMIT', stage: 'upgrade' })
  })

  test('may be cut off after any of its bytes', async () => {
    for (let length = 0; length < CHANGED.length; length++) {
      const port = await front((conn) => conn.end(CHANGED.slice(0, length)))
      expect(await failureOf(dial(plain(port))), `${length} bytes`).toMatchObject({
        code: 'PT_HANDSHAKE',
        stage: 'closed',
      })
    }
  })

  test('may be a reset', async () => {
    const port = await front((conn) => conn.resetAndDestroy())
    expect(await failureOf(dial(plain(port)))).toMatchObject({ code: 'PT_HANDSHAKE', stage: 'closed' })
  })

  test('may never come, and its time is over', async () => {
    const by = webtunnelClient(silent, { tls: 1_000, answer: 100 })
    const silence = await serve(() => undefined)
    expect(await failureOf(dial(plain(silence.port), { by }))).toMatchObject({ code: 'PT_HANDSHAKE', stage: 'timeout' })
    await silence.allClosed()
  })

  test('is not waited for when the session has ended', async () => {
    const hangUp = new AbortController()
    const reason = new Error('the parent hung up')
    const silence = await serve((conn) => conn.once('data', () => hangUp.abort(reason)))
    expect(await failureOf(dial(plain(silence.port), { signal: hangUp.signal }))).toBe(reason)
    await silence.allClosed()
  })
})

test('a port where nothing listens fails as the connection does', async () => {
  const error = await failureOf(dial({ ...secure(1), servername: 'a.example,b.example,c.example' }))
  expect(error).toMatchObject({ code: 'ECONNREFUSED' })
})

describe('a list of names', () => {
  test.each<[Record<string, string>, string[]]>([
    [{ servername: `wrong.example,${otherHost}` }, ['wrong.example', otherHost]],
    [{ servername: `${otherHost},wrong.example` }, ['wrong.example', otherHost]],
  ])('is tried within one dial, and the next dial begins with what worked: %j', async (names, all) => {
    const { port, asked, seen } = await tunnel()
    const by = client()
    expect(await echoed(await dial({ ...secure(port), ...names }, { by }), 'hello')).toBe('hello')
    expect([all, [otherHost]]).toContainEqual(asked)
    const first = asked.length
    expect(await echoed(await dial({ ...secure(port), ...names }, { by }), 'hello')).toBe('hello')
    // It has a ticket, of which the server asks no name.
    expect(asked).toHaveLength(first)
    expect(seen.map(({ servername, resumed }) => [servername, resumed])).toEqual([
      [otherHost, false],
      [otherHost, true],
    ])
  })

  test('has a limit for each dial, and the next dial goes on after it', async () => {
    const { port, asked } = await tunnel()
    const by = client()
    const servername = Array.from({ length: 6 }, (_, at) => `wrong${at}.example`).join(',')
    for (const connections of [3, 6]) {
      const error = await failureOf(dial({ ...secure(port), servername }, { by }))
      expect(error).toMatchObject({ code: 'PT_CERTIFICATE', stage: 'certificate' })
      expect(asked).toHaveLength(connections)
    }
    expect(new Set(asked).size).toBe(6)
  })

  test('of names to imitate changes the hello alone', async () => {
    const { port, seen } = await tunnel()
    await dial({ ...secure(port), 'sni-imitation': 'imitated.example' })
    await dial({ ...secure(port), 'sni-imitation': 'imitated.example', utls: 'none' })
    expect(seen.map(({ servername }) => servername)).toEqual(['imitated.example', 'imitated.example'])
    const elsewhere = { ...secure(port), url: 'https://elsewhere.example/', 'sni-imitation': host }
    expect(await failureOf(dial(elsewhere))).toMatchObject({ stage: 'certificate' })
  })

  test('of domains says which names the certificate may carry', async () => {
    const { port } = await tunnel()
    const args = { ...secure(port), url: 'https://elsewhere.example/' }
    await dial({ ...args, 'cert-domain': '*' })
    await dial({ ...args, 'cert-domain': `nowhere.example,${otherHost}` })
    await dial({ ...args, 'cert-domain': `nowhere.example,${otherHost}`, utls: 'none' })
    expect(await failureOf(dial({ ...args, 'cert-domain': 'nowhere.example' }))).toMatchObject({ stage: 'certificate' })
  })
})

describe('a pin', () => {
  const pin = chainHash([leaf.der, root.der])

  test.each(['hellochrome_auto', 'hellofirefox_auto', 'none'])('is all that counts, with %s', async (utls) => {
    const { port } = await tunnel()
    const args = { ...secure(port), url: 'https://elsewhere.example/', utls }
    expect(await echoed(await dial({ ...args, cert: pin.toString('base64') }), 'hello')).toBe('hello')
    const other = Buffer.from(pin).fill(0, 31).toString('base64')
    expect(await failureOf(dial({ ...args, cert: other }))).toMatchObject({ code: 'PT_CERTIFICATE' })
  })
})

test('a url with an IPv6 literal is dialled, and names nobody in the hello', async () => {
  const { port, asked } = await tlsFront((conn) => {
    headOf(conn).then(
      (head) => conn.end(`${CHANGED}${head.split('\r\n')[1]}`),
      () => conn.destroy(),
    )
  })
  const targets: string[] = []
  const stream = await dial(
    { url: 'https://[2001:db8::1]:8443/secret', cert: chainHash([leaf.der, root.der]).toString('base64') },
    {
      connect: async (target, signal) => {
        targets.push(target)
        return await clientSession({ target }).connect(`127.0.0.1:${port}`, signal)
      },
    },
  )
  expect(await text(stream)).toBe('Host: [2001:db8::1]:8443')
  expect([targets, asked]).toEqual([['[2001:db8::1]:8443'], []])
})

test('a front of TLS 1.2 is said to be one', async () => {
  const { port } = await tlsFront(() => undefined, { maxVersion: 'TLSv1.2' })
  expect(await failureOf(dial(secure(port)))).toMatchObject({ code: 'PT_TLS', stage: 'tls' })
})

test('tickets are those of one bridge: another path of the same front is a first visit', async () => {
  const { port, seen } = await tunnel()
  const by = client()
  for (const path of ['/a', '/a', '/b']) {
    expect(await echoed(await dial({ ...secure(port), url: `https://${host}${path}` }, { by }), 'hello')).toBe('hello')
  }
  expect(seen.map(({ resumed }) => resumed)).toEqual([false, true, false])
})

describe('the end', () => {
  test('of the front without close_notify is an ordinary one', async () => {
    const inner = await tunnel((conn) => conn.write('the last words'))
    const box = await middlebox(inner.port, () => 'pass')
    const stream = await dial(secure(box.port))
    expect(String(await readExactly(stream, 14))).toBe('the last words')
    box.cut(Buffer.alloc(0))
    stream.resume()
    await once(stream, 'end')
  })

  test('of the application is close_notify and FIN', async () => {
    let ended: Promise<unknown> = Promise.resolve()
    const { port } = await tunnel((conn) => (ended = once(conn.resume(), 'end')))
    const stream = await dial(secure(port))
    stream.end()
    await ended
  })
})

test('there is one notice for a browser without a profile, and no other word', async () => {
  const said: string[] = []
  const by = webtunnelClient({ log: (severity, message) => void said.push(`${severity} ${message}`) })
  const port = await front((conn) => conn.write(CHANGED))
  for (const utls of ['helloios_auto', 'hellosafari_auto', 'hellochrome_auto'])
    await dial({ ...plain(port), utls }, { by })
  expect(said).toEqual(['notice there is no profile of Safari; the ClientHello is that of Chromium'])
})
