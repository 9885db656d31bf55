/** The contract of a transport in a PT: what the client's address is, what SMETHOD says, how it all ends. */
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { readExactly } from 'postern/io'
import { describe, expect, onTestFinished, test } from 'vitest'
import { serveExtOrPort } from '../../src/extor/index.ts'
import { Args, formatAddress } from '../../src/ipc/index.ts'
import { startClient } from '../../src/pt/client.ts'
import { startServer } from '../../src/pt/server.ts'
import { createConnections } from '../../src/sessions/connections.ts'
import { Ports } from '../../src/sessions/ports.ts'
import type { ClientOptions, ClientSession, ServerOptions, Transport } from '../../src/transport.ts'
import { makeConnect } from '../../src/upstream/index.ts'
import { root, tempDir } from '../support.ts'
import type { PtProcess } from './child.ts'
import { clientEnv, runChild, serverEnv } from './child.ts'
import { closing, echo, open, plain, portOf, recorder, socks } from './support.ts'

interface Served {
  readonly port: number
  readonly lines: string[]
  /** What the ORPort was told about each connection. */
  readonly told: (string | undefined)[]
}

/** A PT server whose service is an Extended ORPort that echoes. */
async function serve(transport: Transport): Promise<Served> {
  const cookieFile = join(tempDir(), 'cookie')
  const told: (string | undefined)[] = []
  const service = await serveExtOrPort({
    cookieFile,
    onConnection({ conn, userAddr }) {
      told.push(userAddr && formatAddress(userAddr))
      conn.pipe(conn)
    },
  })
  onTestFinished(() => service[Symbol.asyncDispose]())
  const { reporter, lines } = recorder({ logLevel: 'debug' })
  const entry = {
    name: transport.name,
    entry: transport,
    options: Args.none,
    bindAddress: { host: '127.0.0.1', port: 0 },
  }
  const [listener] = closing(
    await startServer({
      entries: [entry],
      stateDir: tempDir(),
      destination: { type: 'extendedOrPort', address: service.address, cookieFile },
      connect: makeConnect({}),
      reporter,
      ports: new Ports(createConnections(), reporter),
    }),
  )
  return { port: listener === undefined ? 0 : portOf(listener), lines, told }
}

async function carried(port: number): Promise<void> {
  const conn = await open(port)
  conn.write('word')
  expect(String(await readExactly(conn, 4))).toBe('word')
}

describe('the address of a client', () => {
  test('SENV-11: is what the transport says, such as that of a header', async () => {
    const { port, told } = await serve(
      plain({ accept: ({ conn }) => Promise.resolve({ stream: conn, userAddr: '203.0.113.7' }) }),
    )
    await carried(port)
    expect(told).toEqual(['203.0.113.7:1'])
  })

  test('SENV-11: is not said if the transport does not know it, and is never that of the front', async () => {
    for (const userAddr of [undefined, 'unknown']) {
      const { port, told } = await serve(plain({ accept: ({ conn }) => Promise.resolve({ stream: conn, userAddr }) }))
      await carried(port)
      expect(told).toEqual([undefined])
    }
  })

  test('SENV-11: comes with a session that is delivered', async () => {
    let deliver!: ServerOptions['deliver']
    const { told, port } = await serve(
      plain({
        server(options) {
          deliver = options.deliver
          return {
            async accept({ conn }) {
              deliver(conn, { userAddr: '[2001:db8::7]:4711' })
              return undefined
            },
          }
        },
      }),
    )
    await carried(port)
    expect(told).toEqual(['[2001:db8::7]:4711'])
  })
})

test('SM-1: SMETHOD says the address of the front if the server has one, and not the listener’s', async () => {
  const address = { host: '2001:db8::80', port: 443 }
  const transport = plain()
  const { port, lines } = await serve(
    plain({ server: async (options) => ({ ...(await transport.server(options)), args: { url: 'x' }, address }) }),
  )
  expect(lines).toEqual(['SMETHOD plain [2001:db8::80]:443 ARGS:url=x', 'SMETHODS DONE'])
  await carried(port)
})

test('SM-5: an address that is no IP address is an SMETHOD-ERROR', async () => {
  const address = { host: 'cdn.example', port: 443 }
  const { lines } = await serve(
    plain({ server: () => ({ address, accept: () => Promise.reject(new Error('not reached')) }) }),
  )
  expect(lines).toEqual([expect.stringMatching(/^SMETHOD-ERROR plain /), 'SMETHODS DONE'])
})

async function client(transport: Transport): Promise<{ port: number; lines: string[] }> {
  const { reporter, lines } = recorder({ logLevel: 'debug' })
  const ports = new Ports(createConnections(), reporter)
  const config = { entries: [transport], stateDir: tempDir(), connect: makeConnect({}), reporter, ports }
  const [listener] = closing(await startClient(config))
  return { port: portOf(listener), lines }
}

test('arguments that the transport cannot use are refused before it dials', async () => {
  let dials = 0
  const { port, lines } = await client({
    ...plain({ dial: () => Promise.reject(new Error(`dial ${++dials}`)) }),
    checkArguments: (args) => (args.has('N') ? [{ severity: 'error', key: 'N', message: 'it is not known' }] : []),
  })
  expect((await socks(port, '192.0.2.1:1')).reply).not.toBe(0)
  expect(dials).toBe(0)
  const status =
    /^STATUS TRANSPORT=plain .*CONNECT=Failed STAGE=argument ERRSTR="malformed argument 'N': it is not known"$/
  expect(lines).toContainEqual(expect.stringMatching(status))
})

test('a client may connect outside of a dial, by the way that the PT has', async () => {
  const { address } = await echo()
  let connect!: ClientOptions['connect']
  await client({
    ...plain(),
    client(options) {
      connect = options.connect
      return { dial: () => Promise.reject(new Error('no dial')) }
    },
  })
  const conn = await connect(address, new AbortController().signal)
  conn.write('word')
  expect(String(await readExactly(conn, 4))).toBe('word')
  conn.destroy()
})

test('a transport that was written against 0.1 still runs', async () => {
  // The types of 0.1: no connect at launch, accept() gives a Duplex, and nothing is closed.
  const old = {
    name: 'old',
    client: ({ stateDir, log, status }: { stateDir: string; log: unknown; status: unknown }) => ({
      dial: async ({ target, connect, signal }: ClientSession): Promise<Duplex> => {
        expect([typeof stateDir, typeof log, typeof status]).toEqual(['string', 'function', 'function'])
        return await connect(target, signal)
      },
    }),
    server: () => ({ args: { a: 'b' }, accept: async ({ conn }: { conn: Duplex }): Promise<Duplex> => conn }),
  }
  const transport: Transport = old
  const { port: bridge, told, lines } = await serve(transport)
  expect(lines[0]).toBe(`SMETHOD old 127.0.0.1:${bridge} ARGS:a=b`)
  const { port } = await client(transport)
  const { conn, reply } = await socks(port, `127.0.0.1:${bridge}`)
  expect(reply).toBe(0)
  conn.write('word')
  expect(String(await readExactly(conn, 4))).toBe('word')
  expect(told).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)])
})

/** A PT whose transport is one of those of the fixture. */
async function launched(side: 'client' | 'server', transport: string): Promise<PtProcess> {
  const variables =
    side === 'client'
      ? clientEnv({ TOR_PT_CLIENT_TRANSPORTS: transport })
      : serverEnv({ TOR_PT_SERVER_TRANSPORTS: transport, TOR_PT_SERVER_BINDADDR: `${transport}-127.0.0.1:0` })
  const pt = runChild({ args: ['pt', '--load', `${root}test/fixtures/transports/closing.mjs`], env: variables })
  await pt.line(side === 'client' ? 'CMETHODS DONE' : 'SMETHODS DONE')
  return pt
}

describe.each(['client', 'server'] as const)('STOP-3: a PT %s that stops', (side) => {
  test('closes its transport, and then ends', async () => {
    const pt = await launched(side, 'closes')
    pt.child.kill('SIGTERM')
    expect(await pt.exit).toBe(0)
    expect(pt.stderr()).toBe('closed\n')
  })

  test('does not wait for ever for a close() that never settles, and says so', async () => {
    const pt = await launched(side, 'hangs')
    pt.child.kill('SIGTERM')
    expect(await pt.exit).toBe(0)
    expect(pt.stdout()).toContain('hangs: close() has not ended within 1 s and is not waited for')
  })

  test('does not wait at all for a close() after a second signal', async () => {
    const pt = await launched(side, 'hangs')
    pt.child.kill('SIGTERM')
    pt.child.kill('SIGINT')
    expect(await pt.exit).toBe(0)
    expect(pt.stdout()).not.toContain('is not waited for')
  })
})
