import { createHook } from 'node:async_hooks'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ProxyUri } from 'postern/ipc'
import { boundReads, readExactly, readUntil } from 'postern/io'
import { makeConnect } from 'postern/upstream'
import { describe, expect, test } from 'vitest'
import type { LoopbackServer } from '../loopback.ts'
import { echo, serve } from '../loopback.ts'
import { endOf } from '../io/streams.ts'
import { bytes } from '../socks/far-side.ts'
import { failureOf } from '../support.ts'
import { forever, printed, proxyAt } from './peers.ts'
import { shows } from '../shows.ts'

const EMPTY_LINE = Buffer.from('\r\n\r\n')

/** What a proxy does with one connection, up to where it goes wrong. */
type Script = (conn: Socket) => unknown

/** Answers each so many bytes of the client with what is said in hexadecimal. */
function answers(...turns: readonly (readonly [length: number, answer: string])[]): Script {
  return async (conn) => {
    for (const [length, answer] of turns) {
      await readExactly(conn, length)
      conn.write(bytes(answer))
    }
  }
}

function httpAnswers(text: string): Script {
  return async (conn) => {
    await readUntil(conn, EMPTY_LINE, 4096)
    conn.write(text)
  }
}

/** Runs a script that a closed connection may cut off. */
function proxy(script: Script): Promise<LoopbackServer> {
  return serve(async (conn) => {
    try {
      await script(conn)
    } catch {
      conn.destroy()
    }
  })
}

const credentials = { user: 'hidden-user', password: 'hidden-password' }
const LOGIN = 3 + credentials.user.length + credentials.password.length
const REQUEST = 10

const closes: Script = (conn) => conn.end()
const resets: Script = async (conn) => {
  await readExactly(conn, 1)
  conn.resetAndDestroy()
}
const wrong: Script = (conn) => conn.write('SSH-2.0-OpenSSH_9.2\r\n')

const failures: [title: string, protocol: ProxyUri['protocol'], script: Script, message: RegExp, reply?: number][] = [
  ['closes at once', 'socks5', closes, /closed/],
  ['closes at once', 'socks4a', closes, /closed/],
  ['closes at once', 'http', closes, /closed/],
  ['resets', 'socks5', resets, /ECONNRESET|EPIPE|closed/],
  ['resets', 'socks4a', resets, /ECONNRESET|EPIPE|closed/],
  ['resets', 'http', resets, /ECONNRESET|EPIPE|closed/],
  ['is no proxy', 'socks5', wrong, /found byte 83: is this a SOCKS 5 server/],
  ['is no proxy', 'socks4a', wrong, /reply 83: no known meaning/, 83],
  ['is no proxy', 'http', wrong, /not HTTP/],
  ['takes no login', 'socks5', answers([4, '05ff']), /takes no user name and password/],
  ['refuses the login', 'socks5', answers([4, '0502'], [LOGIN, '0101']), /refused the user name and password/],
  ['refuses the request', 'socks5', answers([4, '0500'], [REQUEST, '05020001000000000000']), /reply 2: .*ruleset/, 2],
  [
    'cannot reach the target',
    'socks5',
    answers([4, '0500'], [REQUEST, '05050001000000000000']),
    /reply 5: .*refused/,
    5,
  ],
  ['refuses the request', 'socks4a', answers([9 + credentials.user.length, '005b000000000000']), /reply 91/, 91],
  ['wants another password', 'http', httpAnswers('HTTP/1.1 407 Who?\r\n\r\n'), /407 Who\?.*TOR_PT_PROXY are missing/],
  ['cannot reach the target', 'http', httpAnswers('HTTP/1.1 502 Bad Gateway\r\n\r\n'), /answered 502 Bad Gateway/],
  ['never ends its head', 'http', httpAnswers(`HTTP/1.1 200 OK\r\n${'x'.repeat(70_000)}`), /bytes arrived without/],
]

function proxyUri(protocol: ProxyUri['protocol'], port: number): ProxyUri {
  return proxyAt(protocol, port, protocol === 'socks4a' ? { user: credentials.user } : credentials)
}

describe('a proxy that fails', () => {
  test.each(failures)(
    'CENV-3, ANON-3, PT_PROXY: one that %s (%s) is an error, and nothing goes around it',
    async (_title, protocol, script, message, reply) => {
      const target = await serve(echo)
      const server = await proxy(script)
      const connect = makeConnect({ proxy: proxyUri(protocol, server.port) })
      const error = await failureOf(connect(`127.0.0.1:${target.port}`, forever))
      expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy', message: expect.stringMatching(message) })
      expect(error.message).toMatch(new RegExp(`^the ${protocol} proxy of TOR_PT_PROXY failed: `))
      if (reply !== undefined) expect(error.cause).toMatchObject({ code: 'PT_SOCKS_REFUSED', reply })
      expect(printed(error)).not.toMatch(new RegExp(`hidden|127\\.0|${target.port}`))
      await server.allClosed()
      expect(server.accepted).toHaveLength(1)
      expect(target.accepted).toEqual([])
      shows('CENV-3', 'ANON-3')
    },
  )

  test.each(['socks5', 'socks4a', 'http'] as const)(
    'CENV-3, ANON-3: a %s proxy that is not there',
    async (protocol) => {
      const target = await serve(echo)
      const connect = makeConnect({ proxy: proxyUri(protocol, 1) })
      const error = await failureOf(connect(`127.0.0.1:${target.port}`, forever))
      expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy', cause: { code: 'ECONNREFUSED' } })
      expect(error.message).toBe(`the ${protocol} proxy of TOR_PT_PROXY failed: ECONNREFUSED`)
      expect(printed(error)).not.toMatch(/hidden|127\.0/)
      expect(target.accepted).toEqual([])
    },
  )

  test('SOCKS 4a cannot carry an IPv6 target, and is not asked to', async () => {
    const server = await proxy(closes)
    const error = await failureOf(makeConnect({ proxy: proxyAt('socks4a', server.port) })('[2001:db8::77]:1', forever))
    expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy' })
    expect(error.message).toMatch(/SOCKS 4a cannot carry an IPv6 target; a socks5 or http proxy can/)
    expect(printed(error)).not.toMatch(/::77/)
    expect(server.accepted).toEqual([])
  })

  test.each(['socks5', 'http'] as const)('a %s proxy gets no IPv6 zone', async (protocol) => {
    const server = await proxy(closes)
    const error = await failureOf(makeConnect({ proxy: proxyAt(protocol, server.port) })('[fe80::77%lo]:1', forever))
    expect(error).toMatchObject({ code: 'PT_PROXY', message: expect.stringMatching(/IPv6 zone/) })
    expect(server.accepted).toEqual([])
  })

  test('PT_PROXY_URI: a proxy that no URI could name is found before any connection', () => {
    const proxy = proxyAt('socks5', 1, { user: 'u', password: 'hidden'.repeat(100) })
    expect(() => makeConnect({ proxy })).toThrow(expect.objectContaining({ code: 'PT_PROXY_URI' }))
    expect(() => makeConnect({ proxy })).not.toThrow(/hidden/)
  })
})

describe('a proxy that says nothing', () => {
  const stages: [title: string, protocol: ProxyUri['protocol'], script: Script, length: number][] = [
    ['to the greeting', 'socks5', answers(), 4],
    ['more than half an answer', 'socks5', answers([4, '05']), 0],
    ['to the login', 'socks5', answers([4, '0502']), LOGIN],
    ['to the request', 'socks5', answers([4, '0502'], [LOGIN, '0100']), REQUEST],
    ['more than half a reply', 'socks5', answers([4, '0500'], [REQUEST, '05000003']), 0],
    ['to the request', 'socks4a', answers(), 9 + credentials.user.length],
    ['to the request', 'http', httpAnswers(''), 0],
    ['more than half a head', 'http', httpAnswers('HTTP/1.1 200 OK\r\n'), 0],
  ]

  test.each(stages)(
    '%s (%s): the connection is given up with the signal, and after its time',
    async (_title, protocol, script, length) => {
      const abort = new AbortController()
      const target = await serve(echo)
      const server = await proxy(async (conn) => {
        await script(conn)
        if (length > 0) await readExactly(conn, length)
        abort.abort(new Error('hung up'))
      })
      const uri = proxyUri(protocol, server.port)
      const address = `127.0.0.1:${target.port}`
      expect((await failureOf(makeConnect({ proxy: uri })(address, abort.signal))).message).toBe('hung up')
      const error = await failureOf(makeConnect({ proxy: uri, connectTimeout: 50 })(address, forever))
      expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy', cause: { code: 'PT_TIMEOUT' } })
      expect(error.message).toMatch(/the connection took longer than 0\.05 s$/)
      await server.allClosed()
      expect(target.accepted).toEqual([])
    },
  )
})

describe('a proxy that grants', () => {
  const name = 'bridge.invalid:443'
  const nameHex = '6272696467652e696e76616c6964'
  const grants: [title: string, uri: Omit<ProxyUri, 'address'>, turns: [send: string, answer: string][]][] = [
    [
      'socks5',
      { protocol: 'socks5' },
      [
        ['050100', '0500'],
        [`050100030e${nameHex}01bb`, '05000001000000000000'],
      ],
    ],
    [
      'socks5 with a password',
      { protocol: 'socks5', user: 'u', password: 'p' },
      [
        ['05020200', '0502'],
        ['010175 0170', '0100'],
        [`050100030e${nameHex}01bb`, '05000003026f6b0000'],
      ],
    ],
    [
      'socks4a with a user',
      { protocol: 'socks4a', user: 'u' },
      [[`040101bb000000017500${nameHex}00`, '005a000000000000']],
    ],
    [
      'http',
      { protocol: 'http' },
      [
        [
          Buffer.from(`CONNECT ${name} HTTP/1.1\r\nHost: ${name}\r\n\r\n`).toString('hex'),
          Buffer.from('HTTP/1.1 200 OK\r\n\r\n').toString('hex'),
        ],
      ],
    ],
  ]

  test.each(grants)('ANON-2: gets the host name and no name is looked up: %s', async (_title, uri, turns) => {
    const server = await serve(async (conn) => {
      for (const [at, [send, answer]] of turns.entries()) {
        expect((await readExactly(conn, bytes(send).length)).toString('hex')).toBe(bytes(send).toString('hex'))
        conn.write(Buffer.concat([bytes(answer), Buffer.from(at === turns.length - 1 ? 'early ' : '')]))
      }
      echo(conn)
    })
    const lookups = countLookups()
    const conn = await makeConnect({ proxy: { address: { host: '127.0.0.1', port: server.port }, ...uri } })(
      name,
      forever,
    )
    expect(lookups.stop()).toBe(0)
    shows('ANON-2')
    conn.end('and late')
    expect(String(await readExactly(conn, 14))).toBe('early and late')
    conn.resume()
    await once(conn, 'close')
  })

  test('the count of look-ups sees one where there is no proxy', async () => {
    const server = await serve(echo)
    const lookups = countLookups()
    const conn = await makeConnect({})(`localhost:${server.port}`, forever)
    expect(lookups.stop()).toBe(1)
    conn.destroy()
  })
})

/** Counts what asks the system for the address of a name, or a name server for anything. */
function countLookups(): { stop(): number } {
  let count = 0
  const hook = createHook({
    init(_id, type) {
      if (/^(?:GETADDRINFO|GETNAMEINFO|QUERY)/.test(type)) count++
    },
  }).enable()
  return {
    stop: () => {
      hook.disable()
      return count
    },
  }
}

/** Grants the connection, and sends eleven bytes of the target in the same segment. */
const generous: readonly (readonly [protocol: ProxyUri['protocol'], script: Script])[] = [
  [
    'socks5',
    async (conn) => {
      await readExactly(conn, 3)
      conn.write(bytes('0500'))
      await readExactly(conn, REQUEST)
      conn.write(Buffer.concat([bytes('05000001000000000000'), Buffer.alloc(11, 'x')]))
    },
  ],
  [
    'socks4a',
    async (conn) => {
      await readExactly(conn, 9)
      conn.write(Buffer.concat([bytes('005a000000000000'), Buffer.alloc(11, 'x')]))
    },
  ],
  [
    'http',
    async (conn) => {
      await readUntil(conn, EMPTY_LINE, 4096)
      conn.write(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(11)}`)
    },
  ],
]

describe.each(generous)('a handshake behind a %s proxy', (protocol, script) => {
  const connected = async (): Promise<{ conn: Duplex; far: Socket }> => {
    const accepted: Socket[] = []
    const server = await proxy(async (conn) => {
      accepted.push(conn)
      await script(conn)
    })
    const conn = await makeConnect({ proxy: proxyAt(protocol, server.port) })('127.0.0.1:1', forever)
    return { conn, far: accepted[0]! }
  }

  test('loses no byte that came with the answer of the proxy', async () => {
    const { conn, far } = await connected()
    boundReads(conn, 100)
    far.write('the rest')
    expect(String(await readExactly(conn, 13))).toBe('xxxxxxxxxxxth')
    expect(String(await readExactly(conn, 6))).toBe('e rest')
    conn.destroy()
  })

  test('reads no more than it asks for, so that its failure is a reset', async () => {
    const { conn, far } = await connected()
    boundReads(conn, 10)
    far.write('more')
    expect(await readExactly(conn, 12)).toHaveLength(12)
    const end = endOf(far)
    conn.destroy()
    expect(await end).toBe('RST')
  })
})
