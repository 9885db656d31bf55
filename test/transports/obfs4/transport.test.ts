import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { listen } from '../../../src/io/tcp/listen.ts'
import { obfs4 } from '../../../src/transports/obfs4/index.ts'
import { makeObfs4 } from '../../../src/transports/obfs4/make.ts'
import { drain, settle } from '../../io/streams.ts'
import { tempDir } from '../../support.ts'
import { hex } from '../../transport-vectors.ts'
import type { Listening } from './support.ts'
import {
  handshakeVector,
  identity,
  identityOptions,
  makeClient,
  makeServer,
  serve,
  session,
  tcp,
  vectorNow,
} from './support.ts'

const { cert } = handshakeVector
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

afterEach(() => void vi.useRealTimers())

async function bridge(options: Record<string, string> = {}): Promise<Listening> {
  return await serve(await makeServer(makeObfs4(), tempDir(), { ...identityOptions, ...options }))
}

async function dial(target: string, args: Record<string, string> = {}): Promise<Duplex> {
  const client = await makeClient(makeObfs4())
  return await client.dial(session(target, { cert, 'iat-mode': '0', ...args }))
}

/** A listener that does with each connection what it is told. */
async function impostor(act: (conn: Socket) => void): Promise<string> {
  const server = createServer({ allowHalfOpen: true }, (conn) => {
    conn.on('error', () => {})
    onTestFinished(() => void conn.destroy())
    act(conn)
  })
  onTestFinished(() => void server.close())
  const { host, port } = await listen(server, '127.0.0.1', 0)
  return `${host}:${port}`
}

/** Writes in pieces of random sizes, and ends. */
function upload(conn: Duplex, bytes: Buffer): void {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const size = 1 + Math.floor(Math.random() * 5_000)
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  const next = (): void => {
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      if (!conn.write(piece)) return void conn.once('drain', next)
    }
    conn.end()
  }
  next()
}

test('is called obfs4', () => {
  expect(obfs4.name).toBe('obfs4')
})

describe('client and server', () => {
  test.each([
    ['0', '0', 300_000],
    ['1', '1', 60_000],
    ['2', '2', 20_000],
    ['0', '2', 20_000],
  ])('iat-mode %s and %s: %i bytes each way, equal by hash, and ends pass one by one', async (mine, theirs, size) => {
    const listening = await bridge({ 'iat-mode': theirs })
    const client = await dial(listening.target, { 'iat-mode': mine })
    const server = await listening.next()
    const [up, down] = [randomBytes(size), randomBytes(size)]
    const received = Promise.all([drain(server), drain(client)])
    upload(client, up)
    upload(server, down)
    expect((await received).map(hash)).toEqual([hash(up), hash(down)])
  })

  test('each side makes a new pair of keys while it awaits the other, for the one that it took', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const seed = hex(handshakeVector.client_sk + handshakeVector.client_tweak)
    /** A transport whose attempts at a pair all succeed, and how many there were. */
    const counted = () => {
      const random = vi.fn((length: number) => (length === seed.length ? seed : randomBytes(length)))
      const attempts = () => random.mock.calls.filter(([length]) => length === seed.length).length
      return { transport: makeObfs4({ randomBytes: random, randomInt: () => 100 }), attempts }
    }
    const [client, server] = [counted(), counted()]
    const listening = await serve(await makeServer(server.transport, tempDir(), identityOptions))
    const dialler = await makeClient(client.transport)
    await dialler.dial(session(listening.target, { cert, 'iat-mode': '0' }))
    await listening.next()
    await settle()
    expect([client.attempts(), server.attempts()]).toEqual([2, 2])
  })

  test('the older pair of arguments', async () => {
    const listening = await bridge()
    const client = await makeClient(makeObfs4())
    const args = {
      'node-id': handshakeVector.node_id,
      'public-key': identity.publicKey.toString('hex'),
      'iat-mode': '0',
    }
    const conn = await client.dial(session(listening.target, args))
    conn.end('hello')
    expect(String(await drain(await listening.next()))).toBe('hello')
  })

  test('a server that is silent, and a client that is', async () => {
    const listening = await bridge()
    const conn = await dial(listening.target)
    const server = await listening.next()
    server.end('from the server first')
    expect(String(await drain(conn))).toBe('from the server first')
  })

  test('100 connections at once, of which each has its own keys', async () => {
    const listening = await bridge()
    const client = await makeClient(makeObfs4())
    const dials = Array.from({ length: 100 }, async (_, i) => {
      const conn = await client.dial(session(listening.target, { cert, 'iat-mode': '0' }))
      conn.end(String(i))
      return await drain(conn)
    })
    for (let i = 0; i < dials.length; i++) void listening.next().then((conn) => conn.pipe(conn))
    expect((await Promise.all(dials)).map(String)).toEqual(Array.from({ length: 100 }, (_, i) => String(i)))
  })

  test('a hello may come byte by byte', async () => {
    const listening = await bridge()
    const trickle = async (near: Socket): Promise<void> => {
      const far = await tcp(listening.target)
      far.pipe(near)
      for await (const bytes of near) {
        for (const byte of bytes as Buffer) {
          far.write(Uint8Array.of(byte))
          await settle(1)
        }
      }
    }
    const target = await impostor((near) => void trickle(near).catch(() => undefined))
    const conn = await dial(target)
    conn.write('through')
    const server = await listening.next()
    expect(String((await once(server, 'data'))[0])).toBe('through')
  })

  test('PT_FRAME: what was altered on the way ends the connection', async () => {
    const listening = await bridge()
    const conn = await dial(listening.target)
    const server = await listening.next()
    const failed = once(server, 'error')
    server.resume()
    conn.write('sets the frames of the client out of step')
    listening.sockets[0]!.unshift(Buffer.alloc(3_000))
    expect((await failed)[0]).toMatchObject({ code: 'PT_FRAME' })
    // By a reset or an end, as the bytes fall.
    conn.resume().on('error', () => {})
    await new Promise((resolve) => conn.once('close', resolve))
  })
})

describe('a failed dial says at which stage, and what it most likely means', () => {
  test.each([
    [{}, "missing argument 'cert'"],
    [{ cert }, "missing argument 'iat-mode'"],
    [{ cert: 'x', 'iat-mode': '0' }, "malformed argument 'cert'"],
  ])('argument: %j, before anything is connected', async (args, message) => {
    const client = await makeClient(makeObfs4())
    const error = client.dial({ ...session('192.0.2.1:1', args), connect: () => expect.fail('connected') })
    await expect(error).rejects.toMatchObject({
      code: 'PT_ARGS',
      stage: 'argument',
      message: expect.stringContaining(message),
    })
  })

  test('PT_HANDSHAKE, closed: at once, as something else than an obfs4 server', async () => {
    const target = await impostor((conn) => conn.resume().once('data', () => conn.end()))
    await expect(dial(target)).rejects.toMatchObject({
      code: 'PT_HANDSHAKE',
      stage: 'closed',
      message: expect.stringMatching(/closed after \d+ s .* sooner than an obfs4 server/),
    })
  })

  test('PT_HANDSHAKE, closed: by a reset', async () => {
    const target = await impostor((conn) => conn.once('data', () => conn.resetAndDestroy()))
    await expect(dial(target)).rejects.toMatchObject({ code: 'PT_HANDSHAKE', stage: 'closed' })
  })

  test('PT_HANDSHAKE, closed: by a bridge that has waited its time, and so most likely has another cert', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const listening = await bridge()
    const clock = { time: 0 }
    const client = await makeClient(makeObfs4({ uptime: () => clock.time }))
    const other = Buffer.from(cert, 'base64').fill(1, 0, 20).toString('base64')
    const dialled = client
      .dial(session(listening.target, { cert: other, 'iat-mode': '0' }))
      .catch((error: unknown) => error)
    while (listening.sockets.length === 0 || listening.sockets[0]!.bytesRead < 141) await settle(1)
    clock.time = 54_000
    await vi.advanceTimersByTimeAsync(54_000)
    expect(await dialled).toMatchObject({
      code: 'PT_HANDSHAKE',
      stage: 'closed',
      message: expect.stringMatching(/after 54 s .*as an obfs4 server does.*cert is wrong, the clock/),
    })
  })

  test('PT_HANDSHAKE, timeout: 60 s after the connection', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const seen: Buffer[] = []
    const target = await impostor((conn) => void conn.on('data', (bytes: Buffer) => seen.push(bytes)))
    const dialled = dial(target).catch((error: unknown) => error)
    while (seen.length === 0) await settle(1)
    await vi.advanceTimersByTimeAsync(59_999)
    expect(await Promise.race([dialled, settle().then(() => 'waiting')])).toBe('waiting')
    await vi.advanceTimersByTimeAsync(1)
    expect(await dialled).toMatchObject({
      code: 'PT_HANDSHAKE',
      stage: 'timeout',
      message: expect.stringMatching(/cert is wrong, the clock here or at the bridge is off by more than an hour/),
    })
  })

  test('PT_HANDSHAKE, mark: something that talks, and is no obfs4 server', async () => {
    const target = await impostor((conn) => void conn.write(Buffer.alloc(8_192, 'HTTP/1.1 400 Bad Request\r\n')))
    await expect(dial(target)).rejects.toMatchObject({ code: 'PT_HANDSHAKE', stage: 'mark' })
  })

  test('a wish to stop is no failed handshake', async () => {
    const stop = new AbortController()
    const target = await impostor(() => stop.abort(new Error('the parent hung up')))
    const client = await makeClient(makeObfs4())
    await expect(client.dial(session(target, { cert, 'iat-mode': '0' }, stop))).rejects.toThrow('the parent hung up')
  })

  test('a connection that could not be made fails as itself', async () => {
    const client = await makeClient(makeObfs4())
    const connect = (): Promise<Duplex> => Promise.reject(new Error('unreachable'))
    const dialled = client.dial({ ...session('192.0.2.1:1', { cert, 'iat-mode': '0' }), connect })
    await expect(dialled).rejects.toThrow('unreachable')
  })
})

describe('stages that only a forged answer shows', () => {
  test.each([
    ['hour', { hour: 3 }, /clock of this machine is 3 h behind the bridge/],
    ['hour', { hour: -5 }, /clock of this machine is 5 h ahead of the bridge/],
    ['mac', { flip: 1 }, /altered on the way/],
    ['auth', { auth: true }, /AUTH mismatch.*older than 0\.0\.12/],
  ] as const)('PT_HANDSHAKE, %s: %j', async (stage, how, message) => {
    const { forge } = await import('./forger.ts')
    const target = await impostor((conn) => void conn.once('data', (hello: Buffer) => conn.write(forge(hello, how))))
    const client = await makeClient(makeObfs4({ now: () => vectorNow }))
    const dialled = client.dial(session(target, { cert, 'iat-mode': '0' }))
    await expect(dialled).rejects.toMatchObject({
      code: 'PT_HANDSHAKE',
      stage,
      message: expect.stringMatching(message),
    })
  })
})

test('no message of a failure has an address or a secret', async () => {
  const listening = await bridge()
  const target = await impostor((conn) => conn.resume().once('data', () => conn.end()))
  const error = await dial(target).catch((reason: unknown) => reason as Error)
  expect((error as Error).message).not.toMatch(/127\.0\.0\.1|\d{4,5}/)
  expect((error as Error).message).not.toContain(cert)
  const socket = await tcp(listening.target)
  socket.end(hex('00'))
  while (listening.failures.length === 0) await settle(1)
  expect(listening.failures[0]!.message).not.toMatch(/127\.0\.0\.1/)
})
