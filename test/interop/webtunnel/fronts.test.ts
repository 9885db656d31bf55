/** Tunnels and other requests through nginx, Caddy and HAProxy with the configurations that we print, between our ends and others'. */
import { once } from 'node:events'
import type { ClientHttp2Session } from 'node:http2'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import { readUntil } from 'postern/io'
import { describe, expect, onTestFinished, test } from 'vitest'
import { failureOf, freePort } from '../../support.ts'
import { exchange } from '../traffic.ts'
import type { ClientProgram, ServerProgram } from './ends.ts'
import { connected, ended, fleetOfFile } from './fleet.ts'
import type { Front, FrontKind } from './fronts.ts'
import { frontKinds, host, objectionTo, rootPem, secretPath, sitePage, startFront } from './fronts.ts'

const fleet = fleetOfFile()

const pairs: readonly [ClientProgram, ServerProgram][] = [
  ['postern', 'postern'],
  ['lyrebird', 'postern'],
  ['postern', 'webtunnel-server'],
]

type Case = readonly [FrontKind, ClientProgram, ServerProgram]

const cases: readonly Case[] = [
  ...frontKinds.flatMap((kind) => pairs.map(([client, server]): Case => [kind, client, server])),
  ['haproxy in mode http', 'postern', 'postern'],
  ['haproxy with a site', 'lyrebird', 'postern'],
]

test.for(cases)(
  'through %s, from the client of %s to the server of %s: 1 MiB each way arrives whole, and ends are passed on',
  async ([kind, program, far], context) => {
    const [client, server, front] = await Promise.all([
      fleet.client(context, program),
      fleet.server(context, far),
      fleet.front(context, kind, far),
    ])
    const one = await connected(client, front, server)
    const { sent, received } = await exchange(one.near, one.far, 1)
    expect(received).toEqual(sent)
    one.far.end()
    // lyrebird tells its application of no end; our server is free of the connection all the same.
    await ended(program === 'lyrebird' ? one.far : one.near)
    if (program === 'lyrebird') return
    const other = await connected(client, front, server)
    other.near.end()
    await ended(other.far)
  },
)

test.for(['nginx', 'caddy', 'haproxy'] as const)(
  '%s has nothing against what is printed for every address of the machine',
  async (program, context) => {
    expect(await objectionTo(context, program)).toBeNull()
  },
)

/** A connection of TLS to a front, from an address that is not the front's own. */
async function secured(front: Front, alpn: string[] = []): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: front.port, localAddress: '127.0.0.2' })
  const conn = connectTls({ socket, servername: host, ca: rootPem, ALPNProtocols: alpn })
  onTestFinished(() => void conn.destroy())
  await once(conn, 'secureConnect')
  return conn.on('error', () => undefined)
}

/** A whole answer to a request, without what differs from one to the next. */
async function answerTo(front: Front, line: string, ...fields: string[]): Promise<string> {
  const conn = await secured(front)
  conn.write([line, `Host: ${host}`, 'Connection: close', ...fields, '', ''].join('\r\n'))
  return (await text(conn)).replace(/^date:.*\r\n/im, '').trimEnd()
}

/** With a key, without which HAProxy answers each of them by 400 in mode http. */
const upgrade = [
  'Connection: upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==',
]

const allKinds: readonly FrontKind[] = [...frontKinds, 'haproxy in mode http', 'haproxy with a site']

describe.each(allKinds)('%s', (kind) => {
  test('the server learns the address that the front saw, whatever the client writes into X-Forwarded-For', async (context) => {
    const [server, front] = [await fleet.server(context, 'postern'), await fleet.front(context, kind, 'postern')]
    const conn = await secured(front)
    const forged = 'X-Forwarded-For: 203.0.113.9'
    conn.write([`GET ${secretPath} HTTP/1.1`, `Host: ${host}`, ...upgrade, forged, '', ''].join('\r\n'))
    const { conn: far, userAddr } = await server.next()
    onTestFinished(() => void far.destroy())
    expect(String(await readUntil(conn, Buffer.from('\r\n\r\n'), 8_192))).toMatch(/^HTTP\/1\.1 101 /)
    if (inModeTcp(kind)) return // No header can be added there.
    expect(userAddr?.host).toBe('127.0.0.2')
    expect(userAddr?.port).toBeGreaterThan(0)
  })

  test('the secret path, asked for as a page, is as unknown as any other, and a client is told of a wrong one', async (context) => {
    // There the bridge answers the one and the site the other.
    if (kind === 'haproxy with a site') return
    await fleet.server(context, 'postern')
    const front = await fleet.front(context, kind, 'postern')
    const wrong = await answerTo(front, 'GET /nothing-here HTTP/1.1')
    expect(wrong).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/i)
    expect(await answerTo(front, `GET ${secretPath} HTTP/1.1`)).toBe(wrong)
    expect(await answerTo(front, `GET ${secretPath.slice(0, -1)} HTTP/1.1`, ...upgrade)).toBe(wrong)
    expect(await answerTo(front, 'GET /kTq8Zr2LwXc5Vb7Nm9Pd4Sf7 HTTP/1.1', ...upgrade)).toBe(wrong)
    const client = await fleet.client(context, 'postern')
    const args = { ...front.args, url: front.url.slice(0, -1) }
    expect(await failureOf(client.dial(args))).toMatchObject({ stage: 'path' })
  })

  test('the site’s pages come by HTTP/1.1 and by HTTP/2', async (context) => {
    await fleet.server(context, 'postern')
    const front = await fleet.front(context, kind, 'postern')
    const hasSite = !kind.startsWith('haproxy') || kind.endsWith('site')
    const expected = hasSite ? { status: 200, body: sitePage } : { status: 404, body: expect.any(String) as string }
    expect(await pageByHttp2(front, '/')).toEqual(expected)
    expect(await answerTo(front, 'GET / HTTP/1.1')).toMatch(hasSite ? new RegExp(`${sitePage}$`) : /^HTTP\/1\.1 404 /)
  })

  test('a client is told that the bridge is down, and the path is in nothing that the front writes', async (context) => {
    const idle = await startFront(context, { kind, ptPort: await freePort() })
    onTestFinished(async () => await idle[Symbol.asyncDispose]())
    const answer = await answerTo(idle, `GET ${secretPath} HTTP/1.1`, ...upgrade)
    // Without a bridge HAProxy has nothing to say in mode tcp.
    expect(answer).toMatch(inModeTcp(kind) ? /^$/ : /^HTTP\/1\.1 50[23] /)
    const client = await fleet.client(context, 'postern')
    expect(await failureOf(client.dial(idle.args))).toMatchObject({ stage: inModeTcp(kind) ? 'closed' : 'backend' })
    for (const front of [idle, await fleet.front(context, kind, 'postern')]) {
      expect(front.written().toLowerCase()).not.toContain(secretPath.slice(1).toLowerCase())
    }
    if (kind !== 'nginx') return
    // It has a log of other paths, so that something can be seen in it at all.
    await answerTo(idle, 'GET /nothing-here HTTP/1.1')
    expect(idle.written()).toContain('GET /nothing-here')
  })
})

function inModeTcp(kind: FrontKind): boolean {
  return kind === 'haproxy' || kind === 'haproxy with a site'
}

async function pageByHttp2(front: Front, path: string): Promise<{ status: number; body: string }> {
  const socket = await secured(front, ['h2'])
  expect(socket.alpnProtocol).toBe('h2')
  const session: ClientHttp2Session = connectHttp2(`https://${host}`, { createConnection: () => socket })
  try {
    const request = session.request({ ':path': path })
    const [headers] = (await once(request, 'response')) as [{ ':status': number }]
    return { status: headers[':status'], body: String(await buffer(request)) }
  } finally {
    session.destroy()
  }
}
