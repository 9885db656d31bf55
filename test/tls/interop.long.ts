/** connectTls beside servers that others wrote: pages, tickets, other groups, TLS 1.2, long pages, updates of keys, cookies. */
import { buffer } from 'node:stream/consumers'
import type { ConnectTlsOptions, TlsConnection } from 'postern/tls'
import { connectTls, TicketStore } from 'postern/tls'
import { readExactly } from 'postern/io'
import { describe, expect, onTestFinished, test } from 'vitest'
import { failureOf, timePasses } from '../support.ts'
import type { Running } from './servers.ts'
import { caddy, gnutls, go, greeting, haproxy, host, nginx, openssl, PAGE_LENGTH, root, tlslite } from './servers.ts'

type Options = Partial<ConnectTlsOptions>

async function secure(server: Running, options: Options = {}): Promise<TlsConnection> {
  const conn = await connectTls(await server.connect(), { servername: host, roots: root.pem, ...options })
  onTestFinished(() => void conn.destroy())
  return conn
}

/** A page by HTTP/1.0, and whether its connection was resumed. */
async function page(server: Running, path: string, options: Options): Promise<{ body: Buffer; resumed: boolean }> {
  const conn = await secure(server, { alpn: ['http/1.1'], ...options })
  conn.write(`GET ${path} HTTP/1.0\r\nHost: ${host}\r\n\r\n`)
  const answer = await buffer(conn)
  const head = answer.indexOf('\r\n\r\n')
  expect(answer.subarray(0, head).toString()).toMatch(/^HTTP\/1\.[01] 200 /)
  return { body: answer.subarray(head + 4), resumed: conn.resumed }
}

const servers = { openssl, go, nginx, haproxy, caddy, gnutls } as const
const profiles = ['chromium-websocket', 'chromium-page', 'firefox'] as const
/** What each server has to give for a page with the greeting, if it does not choose the page itself. */
const index = { openssl: '/index.html', gnutls: '/' } as Readonly<Record<string, string>>

describe.each(Object.entries(servers))('%s', (name, start) => {
  const path = index[name] ?? '/'
  /** gnutls-serv has a page of its own. */
  const body = name === 'gnutls' ? 'GnuTLS' : greeting

  test('a page with each profile, and again with a ticket', async (context) => {
    const server = await start(context)
    for (const profile of profiles) {
      const tickets = new TicketStore()
      for (const resumed of [false, true, true]) {
        const got = await page(server, path, { profile, tickets })
        expect(got.body.toString()).toContain(body)
        expect({ profile, resumed: got.resumed }).toEqual({ profile, resumed })
      }
    }
  })

  test('a group without a share: HelloRetryRequest, with and without a ticket', async (context) => {
    const server = await start(context, { group: 'secp384r1' })
    for (const profile of profiles) {
      const tickets = new TicketStore()
      for (const resumed of [false, true]) {
        const got = await page(server, path, { profile, tickets })
        expect(got.body.toString()).toContain(body)
        expect({ profile, resumed: got.resumed }).toEqual({ profile, resumed })
      }
    }
  })

  test('TLS 1.2 alone is a clear failure', async (context) => {
    const server = await start(context, { tls12: true })
    for (const profile of profiles) {
      const error = await failureOf(secure(server, { profile }))
      expect(error).toMatchObject({ code: 'PT_TLS', message: 'the server speaks TLS 1.2 and no TLS 1.3' })
    }
  })
})

test('Firefox has a key of P-521 for a server that wants one, Chromium does not offer the group', async (context) => {
  const server = await openssl(context, { group: 'secp521r1' })
  expect((await page(server, '/index.html', { profile: 'firefox' })).body.toString()).toBe(greeting)
  expect(await failureOf(secure(server))).toMatchObject({
    message: expect.stringContaining('handshake_failure') as string,
  })
})

describe.each(Object.entries({ openssl, go, nginx, caddy }))('%s', (_name, start) => {
  test('a page of 20 MB comes whole', async (context) => {
    const { body } = await page(await start(context), '/page', {})
    expect(body).toHaveLength(PAGE_LENGTH)
  })
})

test('OpenSSL’s cookies come back in the second hello', async (context) => {
  const server = await openssl(context, {}, ['-WWW', '-stateless'])
  for (const profile of profiles) {
    expect((await page(server, '/index.html', { profile })).body.toString()).toBe(greeting)
  }
})

test('OpenSSL asks for a certificate, and goes on without one', async (context) => {
  const server = await openssl(context, {}, ['-WWW', '-verify', '1'])
  for (const profile of profiles) {
    expect((await page(server, '/index.html', { profile })).body.toString()).toBe(greeting)
  }
})

test('OpenSSL updates its keys, and asks for ours', async (context) => {
  const server = await openssl(context, {}, [])
  const conn = await secure(server)
  conn.write('before\n')
  await expect.poll(server.printed).toContain('before')
  for (const [command, words] of [
    ['k', 'first'],
    ['K', 'second'],
    ['K', 'third'],
  ] as const) {
    // s_server takes a command only if a read begins with it, and it says nothing when it has read one.
    server.stdin(`${command}\n`)
    await timePasses(500)
    server.stdin(`${words} from afar\n`)
    expect(String(await readExactly(conn, words.length + 11))).toBe(`${words} from afar\n`)
    conn.write(`${words} from here\n`)
    await expect.poll(server.printed).toContain(`${words} from here`)
  }
})

test('tlslite-ng: a page, and again with a ticket', async (context) => {
  const server = await tlslite(context)
  for (const profile of profiles) {
    const tickets = new TicketStore()
    for (const resumed of [false, true]) {
      const got = await page(server, '/index.html', { profile, tickets })
      expect([got.body.toString(), got.resumed]).toEqual([greeting, resumed])
    }
  }
})
