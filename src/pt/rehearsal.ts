/**
 * Handshakes of a PT with itself, after METHODS DONE and before its first connection.
 *
 *     client   application ── SOCKS ── serve() ══ transport ══ echo      all on 127.0.0.1, inside this process
 *     server   application ══ transport ══ serve() ── echo
 *
 * JavaScript is slow the first time that it runs, and an observer can measure how long a handshake takes: the first connection of a
 * fresh process would stand out among those of the Go programs, which are compiled. docs/decisions/0036-rehearsals.md has the figures.
 * Nothing leaves this machine, and the first real connection ends it.
 */
import type { Server as Listener } from 'node:net'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Cancellation, TcpConn } from '../io/index.ts'
import { acceptTcp, Canceller, deadline, hearErrors, listen, listenerOptions, readExactly } from '../io/index.ts'
import type { Address } from '../ipc/index.ts'
import { Args, formatAddress } from '../ipc/index.ts'
import { connectSocks } from '../socks/index.ts'
import type { Client, Connect, Rehearsal, Server, Transport } from '../transport.ts'
import { makeConnect } from '../upstream/index.ts'
import { createConnections } from './connections.ts'
import type { LineOutput } from './line-output.ts'
import type { Serve } from './ports.ts'
import { Ports } from './ports.ts'
import type { Reporter } from './report.ts'
import { createReporter } from './report.ts'

const HOST = '127.0.0.1'
/** A rehearsal that hangs is given up after so many milliseconds. */
const PATIENCE = 10_000
/** The first round compiles most of the code, and the second what the first has left out; each more costs memory and gains little. */
const ROUNDS = 2
/** How many bytes go each way, at first and then: one packet, and many. */
const sizes = [600, 20_000]

/** What stands in for the PT's own parts, so that a rehearsal counts nowhere and says nothing. */
interface Stand {
  readonly connect: Connect
  readonly reporter: Reporter
  readonly ports: Ports
  readonly rehearsals: undefined
}

/** One connection from end to end. */
type Play = () => Promise<void>

interface Scene {
  readonly transport: Transport
  readonly set: (parts: Rehearsal, stage: Stage) => Promise<Play>
}

/** The rehearsals of a PT: at most one scene for each transport. */
export class Rehearsals {
  readonly #scenes: Scene[] = []
  readonly #over = new Canceller()

  /** A client of `transport`; `serving` gives what serves the connections of its parent. */
  addClient(transport: Transport, serving: (client: Client, stand: Stand) => Serve): void {
    const set: Scene['set'] = async ({ client, server, args }, stage) => {
      const bridge = formatAddress(await stage.listen((conn) => void acceptAndEcho(server, conn, stage)))
      const socks = await stage.serve(true, (stand) => serving(client, stand))
      return async () => {
        const conn = await stage.connect(formatAddress(socks), stage.signal)
        await connectSocks(conn, { version: 5, target: bridge, args }, stage.abortSignal)
        await exchange(conn, stage.signal)
      }
    }
    this.#scenes.push({ transport, set })
  }

  /** A server likewise, whose ORPort is at the address that `serving` is given. */
  addServer(transport: Transport, serving: (server: Server, stand: Stand, orPort: Address) => Serve): void {
    const set: Scene['set'] = async ({ client, server, args = Args.none }, stage) => {
      const orPort = await stage.listen((conn) => echo(conn))
      const target = formatAddress(await stage.serve(false, (stand) => serving(server, stand, orPort)))
      return async () => {
        const { connect, signal: cancellation, abortSignal: signal } = stage
        const session = { target, args: Args.from(args), connect, signal, cancellation, ...silent }
        await exchange(hearErrors(await client.dial(session)), cancellation)
      }
    }
    this.#scenes.push({ transport, set })
  }

  /** Plays all scenes, one after the other; never rejects. */
  async run(): Promise<void> {
    using limit = deadline(PATIENCE, 'a rehearsal', this.#over)
    for (const scene of this.#scenes) await rehearse(scene, new Stage(limit.cancellation, limit.signal))
  }

  /** Ends it at once. */
  stop(): void {
    if (!this.#over.aborted) this.#over.abort(new Error('there is a real connection'))
  }
}

async function rehearse({ transport, set }: Scene, stage: Stage): Promise<void> {
  try {
    stage.signal.throwIfAborted()
    const parts = transport.rehearsal?.()
    if (parts === undefined) return
    const play = await set(parts, stage)
    for (let round = 0; round < ROUNDS; round++) await play()
  } catch {
    // The first real connection, the end of the PT, or no loopback: all that is lost is some milliseconds.
  } finally {
    stage.clear()
  }
}

const nobody: LineOutput = {
  write: () => undefined,
  release: () => undefined,
  close: () => Promise.resolve(),
  unread: false,
}
const silent = { log: () => undefined, status: () => undefined }

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

  /** Listens as a port of a PT does. */
  async serve(local: boolean, serving: (stand: Stand) => Serve): Promise<Address> {
    const { listener, address } = await this.#open()
    const reporter = createReporter(nobody)
    const ports = new Ports(createConnections(), reporter)
    const serve = serving({ connect: this.connect, reporter, ports, rehearsals: undefined })
    ports.accept(listener, { name: 'rehearsal', local }, (conn, ...place) => serve(this.#keep(conn), ...place))
    return address
  }

  async #open(): Promise<{ listener: Listener; address: Address }> {
    const listener = createServer(listenerOptions)
    this.#listeners.push(listener)
    return { listener, address: await listen(listener, HOST, 0) }
  }

  #keep<Conn extends Duplex>(conn: Conn): Conn {
    this.#conns.add(hearErrors(conn))
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
    const session = { conn, cancellation: stage.signal, signal: stage.abortSignal, ...silent }
    echo(await server.accept(session))
  } catch {
    conn.destroy()
  }
}

function echo(conn: Duplex): void {
  hearErrors(conn)
    .on('data', (bytes: Buffer) => conn.write(bytes))
    .on('end', () => conn.end())
}

async function exchange(conn: Duplex, signal: Cancellation): Promise<void> {
  for (const size of sizes) {
    conn.write(Buffer.alloc(size))
    await readExactly(conn, size, signal)
  }
  conn.destroy()
}
