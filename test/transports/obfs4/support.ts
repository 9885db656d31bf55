/** What the tests of obfs4 share: the bridge of the vectors, a clock that stands still, and both sides on real sockets. */
import { once, setMaxListeners } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { onTestFinished } from 'vitest'
import { x25519PrivateKey } from '../../../src/crypto/x25519.ts'
import { listen } from '../../../src/io/tcp/listen.ts'
import type { ArgsInit } from '../../../src/ipc/index.ts'
import { Args } from '../../../src/ipc/index.ts'
import type { Client, ClientSession, Report, Server, Severity, Transport } from '../../../src/transport.ts'
import type { EphemeralPair } from '../../../src/transports/obfs4/key-pool.ts'
import { attemptPair } from '../../../src/transports/obfs4/key-pool.ts'
import type { ServerIdentity } from '../../../src/transports/obfs4/server-identity.ts'
import { serverIdentity } from '../../../src/transports/obfs4/server-identity.ts'
import { hex, transportVectors } from '../../transport-vectors.ts'
import { clientOptions, serverOptions, streamOf } from '../../launch-options.ts'

export const handshakeVector = transportVectors.full_handshake_derived

/** The hour of the vector, and a moment in its middle, in ms. */
export const vectorHour = Number(handshakeVector.epoch_hour)
export const vectorNow: number = (vectorHour + 0.5) * 3_600_000

/** Closes failed handshakes after 30 and 24 s. */
export const drbgSeed: Buffer = hex('000102030405060708090a0b0c0d0e0f1011121314151617')

export const identity: ServerIdentity = serverIdentity(
  hex(handshakeVector.node_id),
  x25519PrivateKey(hex(handshakeVector.server_b)),
  drbgSeed,
)

/** Options that make a server this bridge. */
export const identityOptions = {
  'private-key': handshakeVector.server_b,
  'node-id': handshakeVector.node_id,
  'drbg-seed': drbgSeed.toString('hex'),
}

export const clientPair: EphemeralPair = attemptPair(hex(handshakeVector.client_sk + handshakeVector.client_tweak))!
export const serverPair: EphemeralPair = attemptPair(hex(handshakeVector.server_sk + handshakeVector.server_tweak))!

/** Random numbers that are the same in each run. */
export function repeatable(seed: number): { randomInt(n: number): number; randomBytes(length: number): Buffer } {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const randomInt = (n: number): number => Math.floor(next() * n)
  return { randomInt, randomBytes: (length) => Buffer.from(Array.from({ length }, () => randomInt(256))) }
}

interface Log extends Report {
  readonly lines: string[]
}

export function makeLog(): Log {
  const lines: string[] = []
  return { lines, log: (severity: Severity, message: string) => lines.push(`${severity} ${message}`), status() {} }
}

export async function makeServer(
  transport: Transport,
  stateDir: string,
  args: ArgsInit = identityOptions,
): Promise<Server> {
  return await transport.server(serverOptions({ stateDir, args: Args.from(args) }))
}

export interface Listening {
  /** `host:port` */
  readonly target: string
  readonly log: Log
  /** What is accepted, in order. */
  next(): Promise<Duplex>
  readonly failures: Error[]
  readonly sockets: Socket[]
}

/** A listener that does with a transport's server what a PT does. */
export async function serve(server: Server): Promise<Listening> {
  const log = makeLog()
  const [failures, sockets, accepted]: [Error[], Socket[], Duplex[]] = [[], [], []]
  const waiting: { resolve(stream: Duplex): void }[] = []
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (conn) => {
    sockets.push(conn)
    conn.on('error', () => {})
    server.accept({ conn, signal: stop.signal, ...log }).then(
      (taken) => {
        const stream = streamOf(taken).on('error', () => {})
        const waiter = waiting.shift()
        if (waiter === undefined) accepted.push(stream)
        else waiter.resolve(stream)
      },
      (error: Error) => {
        failures.push(error)
        conn.destroy()
      },
    )
  })
  const { host, port } = await listen(listener, '127.0.0.1', 0)
  onTestFinished(() => {
    stop.abort(new Error('the test is over'))
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  return {
    target: `${host}:${port}`,
    log,
    failures,
    sockets,
    async next() {
      return accepted.shift() ?? (await new Promise<Duplex>((resolve) => waiting.push({ resolve })))
    },
  }
}

/** A plain TCP connection; gone when the test has finished. */
export async function tcp(target: string): Promise<Socket> {
  const [host = '', port] = target.split(':')
  const socket = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true })
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

export function session(target: string, args: ArgsInit, stop: AbortController = new AbortController()): ClientSession {
  return { target, args: Args.from(args), signal: stop.signal, connect: tcp, ...makeLog() }
}

export async function makeClient(transport: Transport): Promise<Client> {
  return await transport.client(clientOptions({ stateDir: '/nonexistent' }))
}
