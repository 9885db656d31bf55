/** A failed connection is told alike, whether the transport runs in this process or in our PT beside it. */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { describe, expect, test } from 'vitest'
import type { PtError } from '../../src/error.ts'
import type { DialStage } from '../../src/failure.ts'
import { stages, verdictOf } from '../../src/failure.ts'
import { connectBridge, launchClient, openBridge } from '../../src/index.ts'
import type { OpenBridgeOptions } from '../../src/index.ts'
import type { Transport } from '../../src/transport.ts'
import { formatCert } from '../../src/transports/obfs4/cert.ts'
import { epochHour } from '../../src/transports/obfs4/handshake.ts'
import { throwawayCertificate } from '../../src/transports/web/throwaway-certificate.ts'
import { makeConnect } from '../../src/upstream/index.ts'
import { CLOSED_PORT, failureOf, freePort, tempDir } from '../support.ts'
import { forge } from '../transports/obfs4/forger.ts'
import { identity } from '../transports/obfs4/support.ts'
import { forever, silentPort } from '../upstream/peers.ts'
import { ownPt, serve } from './bridges.ts'

const cert = formatCert(identity)
const args = `cert=${cert} iat-mode=0`

/** A port whose connections are given to `peer`. */
async function played(peer: (conn: Socket) => void): Promise<number> {
  return await serve(createServer((conn) => peer(conn.resume())))
}

function forging(how: Parameters<typeof forge>[1]): (conn: Socket) => void {
  return (conn) => {
    let hello = Buffer.alloc(0)
    conn.on('data', (chunk: Buffer) => {
      hello = Buffer.concat([hello, chunk])
      try {
        conn.write(forge(hello, how, epochHour(Date.now())))
      } catch {
        // The hello is not complete yet.
      }
    })
  }
}

async function selfSigned(): Promise<number> {
  const { cert, key } = throwawayCertificate()
  const server = createTlsServer({ cert, key }, (conn) => conn.on('error', () => undefined).resume())
  server.on('tlsClientError', () => undefined)
  return await serve(server)
}

interface Case {
  readonly line: string
  readonly options?: OpenBridgeOptions
}

const atPort = (port: number, rest = args): Case => ({ line: `obfs4 127.0.0.1:${port} ${rest}` })

/** A bridge of webtunnel: the address of its line is made up, and not dialled. */
const behind = (url: string): Case => ({ line: `webtunnel [2001:db8::1]:443 url=${url}` })

/** A web server that says the same to every request. */
async function answering(status: string): Promise<Case> {
  const port = await played((conn) => conn.once('data', () => conn.write(`HTTP/1.1 ${status}\r\n\r\n`)))
  return behind(`http://127.0.0.1:${port}/path`)
}

/** Each stage, and what leads to it. */
const table: readonly [what: string, stage: DialStage, make: () => Promise<Case>][] = [
  ['half a cert', 'argument', async () => atPort(CLOSED_PORT, 'cert=abc iat-mode=0')],
  ['no iat-mode', 'argument', async () => atPort(CLOSED_PORT, `cert=${cert}`)],
  ['an address that no machine has', 'local', async () => ({ line: `obfs4 255.255.255.255:1 ${args}` })],
  [
    'a name that no name server is asked for',
    'dns',
    async () => ({ line: `obfs4 ${'a'.repeat(64)}.invalid:1 ${args}` }),
  ],
  ['a port at which nothing listens', 'connect', async () => atPort(CLOSED_PORT)],
  [
    'an upstream proxy that is down',
    'proxy',
    async () => ({ ...atPort(CLOSED_PORT), options: { proxy: `socks5://127.0.0.1:${await freePort()}` } }),
  ],
  [
    'an upstream proxy that refuses',
    'proxy',
    async () => {
      const port = await played((conn) => {
        conn.once('data', () => {
          conn.write(Buffer.of(5, 0))
          conn.once('data', () => conn.end(Buffer.of(5, 2, 0, 1, 0, 0, 0, 0, 0, 0)))
        })
      })
      return { ...atPort(CLOSED_PORT), options: { proxy: `socks5://127.0.0.1:${port}` } }
    },
  ],
  [
    'a bridge that says nothing, and our own limit',
    'timeout',
    async () => ({ ...atPort(await played(() => {})), options: { connectTimeout: 1_000 } }),
  ],
  ['a bridge that hangs up', 'closed', async () => atPort(await played((conn) => conn.once('data', () => conn.end())))],
  [
    'a bridge that resets',
    'closed',
    async () => atPort(await played((conn) => conn.once('data', () => conn.resetAndDestroy()))),
  ],
  ['noise', 'mark', async () => atPort(await played((conn) => conn.write(randomBytes(20_000))))],
  ['an answer that was altered', 'mac', async () => atPort(await played(forging({ flip: 1 })))],
  ['an answer of another hour', 'hour', async () => atPort(await played(forging({ hour: 3 })))],
  ['an answer without the key', 'auth', async () => atPort(await played(forging({ auth: true })))],
  [
    'a web server that is none',
    'tls',
    async () => behind(`https://127.0.0.1:${await played((conn) => conn.write('220\r\n'))}/x`),
  ],
  [
    'a certificate that only its owner signed',
    'certificate',
    async () => behind(`https://127.0.0.1:${await selfSigned()}/x`),
  ],
  ['a web server that knows no tunnel', 'upgrade', async () => await answering('200 OK')],
  ['a web server without the page', 'path', async () => await answering('404 Not Found')],
  ['a web server without its bridge', 'backend', async () => await answering('502 Bad Gateway')],
]

interface Account {
  readonly code: string
  readonly stage: string | undefined
  readonly message: string
}

async function accountOf(line: string, options: OpenBridgeOptions): Promise<Account> {
  await using bridge = await openBridge(line, options)
  return told(await failureOf(bridge.connect()))
}

function told({ code, stage, message }: PtError): Account {
  return { code, stage, message }
}

describe('the same code, stage and sentence in this process and beside it', () => {
  test.each(table)('%s: %s', async (_, stage, make) => {
    const { line, options = {} } = await make()
    const [transport] = line.split(' ')
    const expected = { code: stages[stage].code, stage, message: `${transport}: ${verdictOf(stage)}` }
    expect(await accountOf(line, options)).toEqual(expected)
    expect(await accountOf(line, { ...options, exec: ownPt })).toEqual(expected)
  })

  test('every stage is in the table', () => {
    expect(new Set(table.map(([, stage]) => stage))).toEqual(new Set(Object.keys(stages)))
  })

  test(
    'an address that swallows all, and our own limit of more than five seconds: connect',
    { timeout: 30_000 },
    async () => {
      const port = await silentPort((port) => makeConnect({ connectTimeout: 500 })(`127.0.0.1:${port}`, forever))
      const { line } = atPort(port)
      const expected = { code: 'PT_CONNECT', stage: 'connect', message: `obfs4: ${verdictOf('connect')}` }
      const accounts = [{}, { exec: ownPt }].map((options) => accountOf(line, { ...options, connectTimeout: 5_500 }))
      expect(await Promise.all(accounts)).toEqual([expected, expected])
    },
  )

  test('an error of a transport that names no stage', async () => {
    const file = join(tempDir(), 'broken.mjs')
    const source = "dial() { throw new Error('GET https://cdn.example/x: 404') }"
    writeFileSync(file, `export const broken = { name: 'broken', client: () => ({ ${source} }), server() {} }`)
    const { broken } = (await import(file)) as { broken: Transport }
    const line = 'broken 192.0.2.1:1 url=https://cdn.example/x'
    const expected = { code: 'PT_HANDSHAKE', stage: undefined, message: 'broken: the connection failed' }
    for (const options of [{ transports: [broken] }, { exec: [...ownPt, '--load', file] }]) {
      const error = await failureOf(connectBridge(line, options))
      expect(told(error)).toEqual(expected)
      expect(error.reported).toBe('GET [scrubbed]: 404')
    }
  })
})

test('of many connections at once each gets its own failure', async () => {
  const ports = {
    connect: CLOSED_PORT,
    mark: await played((conn) => conn.write(randomBytes(20_000))),
    closed: await played((conn) => conn.once('data', () => conn.end())),
  }
  await using pt = await launchClient({ exec: ownPt, transports: ['obfs4'], stateDir: tempDir() })
  const stagesInTurn = Array.from({ length: 60 }, (_, at) => Object.keys(ports)[at % 3])
  const failures = Array.from({ length: 60 }, async (_, at) => {
    const target = `127.0.0.1:${Object.values(ports)[at % 3]}`
    return await failureOf(pt.connect('obfs4', target, { args: { cert, 'iat-mode': '0' } }))
  })
  expect((await Promise.all(failures)).map(({ stage }) => stage)).toEqual(stagesInTurn)
})
