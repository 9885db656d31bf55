/** What tests of transports share: connections on loopback, sessions, and streams that are compared by their hash. */
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { onTestFinished } from 'vitest'
import { listen } from '../../src/io/tcp/listen.ts'
import type { Client, ClientSession, Connect, Server, Transport } from '../../src/transport.ts'
import { Args, parseTarget } from '../../src/ipc/index.ts'
import { clientOptions, serverOptions, streamOf } from '../launch-options.ts'
import { timePasses } from '../support.ts'

/** Nobody reads what a transport reports, unless a test asks. */
export const silent = { log: (): void => undefined, status: (): void => undefined }

/**
 * A state directory that is gone when the test has finished. A transport may be writing what it has just learned when its
 * last connection closes, so the removal is repeated until there is nothing left to be written into.
 */
export function stateDir(): string {
  const path = mkdtempSync(join(tmpdir(), 'postern-state-'))
  onTestFinished(async () => {
    while (existsSync(path)) await rm(path, { recursive: true, force: true }).catch(() => undefined)
  })
  return path
}

/** Both ends of a TCP connection; `near` is the one that connected. */
export async function tcpPair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
  const { port } = await listen(server, '127.0.0.1', 0)
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  const [[far]] = await Promise.all([accepted, once(near, 'connect')])
  server.close()
  onTestFinished(() => {
    near.destroy()
    far.destroy()
  })
  return { near, far }
}

/** A Connect of plain TCP, as a PT without an upstream proxy has it. */
const plainConnect: Connect = async (target, signal) => {
  const conn = connect({ ...parseTarget(target), allowHalfOpen: true, noDelay: true })
  signal.addEventListener('abort', () => conn.destroy(signal.reason as Error))
  await once(conn, 'connect')
  return conn
}

/** A session of a client; by default its arguments are empty and its connection is plain TCP. */
export function clientSession(overrides: Partial<ClientSession> & { target: string }): ClientSession {
  return { args: Args.none, connect: plainConnect, signal: new AbortController().signal, ...silent, ...overrides }
}

/** A dial and an accept over one TCP connection. */
export async function connected(
  { client, server }: { client: Client; server: Server },
  session: Partial<ClientSession> = {},
): Promise<{ client: Duplex; server: Duplex }> {
  const { near, far } = await tcpPair()
  const signal = new AbortController().signal
  const dialled = client.dial(
    clientSession({ target: '127.0.0.1:1', connect: () => Promise.resolve(near), ...session }),
  )
  const accepting = server.accept({ conn: far, signal, ...silent })
  const [ours, theirs] = await Promise.all([dialled, accepting.then(streamOf)])
  onTestFinished(() => {
    ours.on('error', () => undefined).destroy()
    theirs.on('error', () => undefined).destroy()
  })
  return { client: ours, server: theirs }
}

export interface ListenOptions {
  readonly failed?: (error: unknown) => void
  readonly log?: (severity: string, message: string) => void
}

/** A listener whose connections are accepted by `server` and handed to `use`; closes with the test. */
export async function listening(
  server: Server,
  use: (conn: Duplex) => unknown,
  { failed = () => undefined, log = () => undefined }: ListenOptions = {},
): Promise<string> {
  const open = new Set<Socket>()
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (conn) => {
    open.add(conn.on('close', () => open.delete(conn)))
    conn.on('error', () => undefined)
    const signal = new AbortController().signal
    server.accept({ conn, signal, ...silent, log }).then(
      (accepted) => use(streamOf(accepted).on('error', () => undefined)),
      (error: unknown) => {
        conn.destroy()
        failed(error)
      },
    )
  })
  const { port } = await listen(listener, '127.0.0.1', 0)
  onTestFinished(async () => {
    for (const conn of open) conn.destroy()
    await new Promise((resolve) => listener.close(resolve))
  })
  return `127.0.0.1:${port}`
}

/** Both sides of a transport that takes no arguments, as launched with an empty state. */
export async function launched(transport: Transport): Promise<{ client: Client; server: Server }> {
  const stateDir = '/nonexistent'
  return {
    client: await transport.client(clientOptions({ stateDir })),
    server: await transport.server(serverOptions({ stateDir, args: Args.none })),
  }
}

/** Sends everything back, and ends when the peer has. */
export function echo(conn: Duplex): void {
  conn.on('error', () => undefined).pipe(conn)
}

/** Writes `size` random bytes in writes of random sizes, ends unless told otherwise, and resolves with their SHA-256. */
export async function sendRandom(conn: Duplex, size: number, { end = true } = {}): Promise<string> {
  const hash = createHash('sha256')
  for (let left = size; left > 0;) {
    // Few bytes as often as many: each size is a power of two and a bit.
    const bytes = randomBytes(Math.min(left, randomInt(1, 2 ** randomInt(1, 18))))
    hash.update(bytes)
    left -= bytes.length
    if (!conn.write(bytes)) await once(conn, 'drain')
  }
  if (end) conn.end()
  return hash.digest('hex')
}

/** The SHA-256 and the number of all bytes up to the end. */
export async function receiveAll(conn: Duplex): Promise<{ hash: string; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  // No `for await`: it destroys the stream at the end, and with it the other direction.
  conn
    .on('data', (chunk: Buffer) => {
      hash.update(chunk)
      size += chunk.length
    })
    .resume()
  await once(conn, 'end')
  return { hash: hash.digest('hex'), size }
}

/** The SHA-256 of the next `size` bytes. */
export function receive(conn: Duplex, size: number): Promise<string> {
  const hash = createHash('sha256')
  let left = size
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      hash.update(chunk)
      if ((left -= chunk.length) > 0) return
      conn.off('data', take)
      resolve(left === 0 ? hash.digest('hex') : `${-left} bytes too many`)
    }
    conn
      .on('data', take)
      .once('error', reject)
      .once('close', () => reject(new Error(`closed, and ${left} bytes are missing`)))
      .resume()
  })
}

/** All bytes of what `decode` yields for `chunks`. */
export function decodeAll(
  codec: { decode(chunk: Uint8Array): Iterable<Uint8Array> },
  chunks: Iterable<Uint8Array>,
): Buffer {
  return Buffer.concat(Array.from(chunks, (chunk) => Buffer.concat(Array.from(codec.decode(chunk)))))
}

/** `bytes` one by one. */
export function* singly(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1)
}

/** A copy of `bytes` with one bit changed. */
export function flip(bytes: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return copy
}

/** Writes until no drain comes for a while; the number of bytes written. Nobody may be reading at the other end. */
export async function writeUntilStuck(conn: Duplex): Promise<number> {
  for (let written = 0; ;) {
    const more = conn.write(Buffer.alloc(65536))
    written += 65536
    if (more) continue
    const drained = await Promise.race([once(conn, 'drain'), timePasses(250).then(() => 'stuck')])
    if (drained === 'stuck') return written
  }
}

/** A function, and the argument of its first call. */
export function onceCalled<T>(): { call: (value: T) => void; called: Promise<T> } {
  let call: (value: T) => void = () => undefined
  const called = new Promise<T>((resolve) => (call = resolve))
  return { call: (value) => call(value), called }
}
