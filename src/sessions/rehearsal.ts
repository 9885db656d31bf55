/**
 * Handshakes of a process with itself, before its first connection.
 *
 *     client   application ── SOCKS ── PT client ══ transport ══ echo      all on 127.0.0.1, inside this process
 *     dialer   dial() ══ transport ══ echo
 *     server   dial() ══ transport ══ service ── echo
 *
 * JavaScript is slow the first time that it runs, and an observer can measure how long a handshake takes: the first connection of a
 * fresh process would differ from those of the Go programs, which are compiled. docs/decisions/0036-rehearsals.md has the figures.
 * Nothing leaves this machine, and the first real connection ends it.
 */
import type { Server as Listener } from 'node:net'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Cancellation } from '../io/wait/cancellation.ts'
import { Canceller } from '../io/wait/cancellation.ts'
import { deadline } from '../io/wait/deadline.ts'
import { silenceErrors } from '../io/ends.ts'
import { readExactly } from '../io/read.ts'
import { listen } from '../io/tcp/listen.ts'
import { acceptTcp, listenerOptions } from '../io/tcp/tcp.ts'
import type { TcpConn } from '../io/tcp/channel.ts'
import type { Address } from '../ipc/index.ts'
import { Args, formatAddress } from '../ipc/index.ts'
import type { Client, Connect, Rehearsal, Server, Transport } from '../transport.ts'
import { makeConnect } from '../upstream/index.ts'
import { createConnections } from './connections.ts'
import type { Serve } from './ports.ts'
import { Ports } from './ports.ts'
import { silentReport } from './silent-report.ts'

const HOST = '127.0.0.1'
/** A rehearsal that hangs is given up after so many milliseconds. */
const PATIENCE = 10_000
/** The first round compiles most of the code, and the second what the first has left out; each more costs memory and gains little. */
const ROUNDS = 2
/** So many bytes go each way: at first one packet, and then many. */
const sizes = [600, 20_000]

/** These stand in for the parts of the real process, so that a rehearsal counts nowhere and says nothing. */
export interface Stand {
  readonly connect: Connect
  readonly ports: Ports
}

/** Asks on `conn`, which leads to a PT client, for a connection to `target`. */
export type Ask = (conn: Duplex, target: string, args: Args, signal: AbortSignal) => Promise<void>

/** One connection from end to end. */
type Play = () => Promise<void>

interface Scene {
  readonly transport: Transport
  /** The end that rehearses. */
  readonly role: 'client' | 'server'
  readonly set: (parts: Rehearsal, stage: Stage) => Promise<Play>
}

/** The rehearsals of a process: at most one scene for each end of a transport. */
export class Rehearsals {
  readonly #scenes: Scene[] = []
  readonly #over = new Canceller()

  /** The client of a PT: `serving` gives the code that serves the connections of its parent, and `ask` is that parent. */
  addClient(transport: Transport, serving: (client: Client, stand: Stand) => Serve, ask: Ask): void {
    const set: Scene['set'] = async ({ client, server, args = Args.none }, stage) => {
      const bridge = formatAddress(await stage.listen((conn) => void acceptAndEcho(server, conn, stage)))
      const socks = await stage.serve(true, (stand) => serving(client, stand))
      return async () => {
        const conn = await stage.connect(formatAddress(socks), stage.signal)
        await ask(conn, bridge, Args.from(args), stage.abortSignal)
        await exchange(conn, stage.signal)
      }
    }
    this.#scenes.push({ transport, role: 'client', set })
  }

  /** A client that dials in this process. */
  addDialer(transport: Transport): void {
    const set: Scene['set'] = async ({ client, server, args = Args.none }, stage) => {
      const target = formatAddress(await stage.listen((conn) => void acceptAndEcho(server, conn, stage)))
      return async () => await dialAndExchange(client, target, Args.from(args), stage)
    }
    this.#scenes.push({ transport, role: 'client', set })
  }

  /** A server; `serving` gives the code that serves its connections and takes them to `echo`. */
  addServer(transport: Transport, serving: (server: Server, stand: Stand, echo: Address) => Serve): void {
    const set: Scene['set'] = async ({ client, server, args = Args.none }, stage) => {
      const service = await stage.listen((conn) => echo(conn))
      const target = formatAddress(await stage.serve(false, (stand) => serving(server, stand, service)))
      return async () => await dialAndExchange(client, target, Args.from(args), stage)
    }
    this.#scenes.push({ transport, role: 'server', set })
  }

  /** Plays all scenes, one after the other; never rejects. */
  async run(): Promise<void> {
    using limit = deadline(PATIENCE, 'a rehearsal', this.#over)
    for (const scene of this.#scenes) await rehearse(scene, new Stage(limit.cancellation, limit.signal))
  }

  /** Ends it at once, if it has not ended. */
  stop(): void {
    if (!this.#over.aborted) this.#over.abort(new Error('there is a real connection'))
  }
}

async function rehearse({ transport, role, set }: Scene, stage: Stage): Promise<void> {
  try {
    stage.signal.throwIfAborted()
    const parts = transport.rehearsal?.(role)
    if (parts === undefined) return
    const play = await set(parts, stage)
    for (let round = 0; round < ROUNDS; round++) await play()
  } catch {
    // It was the first real connection, or the end of the process, or there is no loopback. Only some milliseconds are lost.
  } finally {
    stage.clear()
  }
}

/** The listeners and connections of a rehearsal, which are gone when it is over. */
class Stage {
  readonly signal: Cancellation
  readonly abortSignal: AbortSignal
  readonly #connect = makeConnect({})
  readonly #listeners: Listener[] = []
  readonly #conns = new Set<Duplex>()

  constructor(signal: Cancellation, abortSignal: AbortSignal) {
    this.signal = signal
    this.abortSignal = abortSignal
    signal.addEventListener('abort', () => this.clear())
  }

  readonly connect: Connect = async (target, signal) => this.#keep(await this.#connect(target, signal))

  async listen(accepted: (conn: TcpConn) => void): Promise<Address> {
    const { listener, address } = await this.#open()
    acceptTcp(listener, (conn) => accepted(this.#keep(conn)))
    return address
  }

  /** Listens as a port of a real process does. */
  async serve(local: boolean, serving: (stand: Stand) => Serve): Promise<Address> {
    const { listener, address } = await this.#open()
    const ports = new Ports(createConnections(), silentReport)
    const serve = serving({ connect: this.connect, ports })
    ports.accept(listener, { name: 'rehearsal', local }, (conn, ...place) => serve(this.#keep(conn), ...place))
    return address
  }

  async #open(): Promise<{ listener: Listener; address: Address }> {
    const listener = createServer(listenerOptions)
    this.#listeners.push(listener)
    return { listener, address: await listen(listener, HOST, 0) }
  }

  #keep<Conn extends Duplex>(conn: Conn): Conn {
    this.#conns.add(silenceErrors(conn))
    if (this.signal.aborted) conn.destroy()
    return conn
  }

  clear(): void {
    for (const conn of this.#conns) conn.destroy()
    for (const listener of this.#listeners) listener.close()
  }
}

async function acceptAndEcho(server: Server, conn: Duplex, stage: Stage): Promise<void> {
  try {
    const session = { conn, cancellation: stage.signal, signal: stage.abortSignal, ...silentReport }
    const accepted = await server.accept(session)
    if (accepted !== undefined) echo('stream' in accepted ? accepted.stream : accepted)
  } catch {
    conn.destroy()
  }
}

function echo(conn: Duplex): void {
  silenceErrors(conn)
    .on('data', (bytes: Buffer) => conn.write(bytes))
    .on('end', () => conn.end())
}

async function dialAndExchange(client: Client, target: string, args: Args, stage: Stage): Promise<void> {
  const { connect, signal: cancellation, abortSignal: signal } = stage
  const stream = await client.dial({ target, args, connect, signal, cancellation, ...silentReport })
  await exchange(silenceErrors(stream), cancellation)
}

async function exchange(conn: Duplex, signal: Cancellation): Promise<void> {
  for (const size of sizes) {
    conn.write(Buffer.alloc(size))
    await readExactly(conn, size, signal)
  }
  conn.destroy()
}
