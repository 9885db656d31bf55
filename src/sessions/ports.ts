/**
 * The listening ports of a process: what each accepts, and when it stops accepting. No connection is closed because there are too
 * many: a prober that counts would learn from it which program this is, and the newest connection is as good as the older ones.
 *
 *     accepted ── served ── closed
 *        └── too many connections, or too few descriptors left ── no more is accepted; newcomers wait in the kernel's queue
 *                                                                 until others have gone
 *
 * If there are several transports, each may have its share of handshakes, so that a flood at one port leaves the others open.
 */
import type { Server } from 'node:net'
import type { AcceptGate } from '../io/tcp/accept-gate.ts'
import { acceptGate } from '../io/tcp/accept-gate.ts'
import type { Guest } from '../io/tcp/lobby.ts'
import { Lobby } from '../io/tcp/lobby.ts'
import { acceptTcp } from '../io/tcp/tcp.ts'
import type { TcpConn } from '../io/tcp/channel.ts'
import type { Report } from '../transport.ts'
import type { Admission, Connections, Entrance } from './connections.ts'
import { Descriptors } from './descriptors.ts'
import { seldom } from './seldom.ts'

export interface ConnectionLimits {
  /** The number of connections at once; those beyond it wait to be accepted. Default 65536. */
  readonly maxConnections?: number
  /**
   * The number of connections to a client's SOCKS ports that have not made their request; if there are more, the oldest of them
   * is closed. Default 1024.
   */
  readonly maxSilent?: number
}

export interface PortOptions {
  /** The transport that is reached there. */
  readonly name: string
  /** True for a port that only programs of this machine use: a connection that is silent there makes room for others. */
  readonly local: boolean
  /** Counts the connections of this port, if they are to be drained apart from those of the other ports. */
  readonly connections?: Connections | undefined
  /** The number of connections to this port at once; those beyond it wait to be accepted. By default only the process has a limit. */
  readonly maxConnections?: number | undefined
  /** Says what this port has to say, in place of the function of all ports. */
  readonly log?: Report['log'] | undefined
}

/** Serves a connection. On a local port `guest` is its place among those that have not made a request. */
export type Serve = (conn: TcpConn, admission: Admission, guest: Guest | undefined) => void

/** How often the same warning is said, in ms. */
const SAID_EVERY = 60_000
/** While a local port is shut, silent connections are looked for so often, and each has so long to say something, in ms. */
const CLEARED_EVERY = 250
const GRACE = 1_000
/** A transport may always have so many handshakes, however little is left for them. */
const LEAST_SHARE = 4

export class Ports {
  readonly connections: Connections
  readonly descriptors: Descriptors
  readonly #log: Report['log']
  readonly #maxConnections: number
  readonly #lobby: Lobby
  readonly #ports = new Set<Port>()
  readonly #shut = new Set<Port>()
  #open = 0
  #handshakes = 0
  #clearing = false

  constructor(
    connections: Connections,
    { log }: Pick<Report, 'log'>,
    { maxConnections = 65_536, maxSilent = 1_024 }: ConnectionLimits = {},
    descriptors: Descriptors = new Descriptors(),
  ) {
    this.connections = connections
    this.descriptors = descriptors
    this.#log = log
    this.#maxConnections = maxConnections
    const warn = warning(log)
    const silent = 'local connections that ask for nothing are closed, the oldest first, to make room for others'
    this.#lobby = new Lobby({ limit: maxSilent, onEnded: () => warn(silent) })
    descriptors.onFreed = () => this.#lookAgain()
  }

  /** Accepts the connections to `listener`, which listens already, and gives them to `serve`. */
  accept(listener: Server, options: PortOptions, serve: Serve): void {
    const { log = this.#log } = options
    const port = new Port(this, listener, options, warning(log))
    this.#ports.add(port)
    listener.once('close', () => {
      this.#ports.delete(port)
      this.#shut.delete(port)
    })
    listener.on('error', (error) => log('warning', `${options.name}: accepting failed: ${error.message}`))
    acceptTcp(listener, (conn) => this.#accepted(port, conn, serve))
  }

  #accepted(port: Port, conn: TcpConn, serve: Serve): void {
    const admission = port.connections.admit(conn, port)
    const guest = port.local ? this.#lobby.enter(conn, conn.remoteAddress) : undefined
    if (this.#isFull() || port.isFull || this.#isCrowded(port)) this.#shutOut(port)
    serve(conn, admission, guest)
  }

  #shutOut(port: Port): void {
    if (!port.shut()) return
    this.#shut.add(port)
    port.warn(`${port.name}: new connections wait until others have ended, as ${this.#reason(port)}`)
    if (port.local) this.#clearLobby()
  }

  /** As long as a local port is shut, connections that are silent there make room. */
  #clearLobby(): void {
    if (this.#clearing) return
    this.#clearing = true
    setTimeout(() => {
      this.#clearing = false
      let room = true
      while (room) room = this.#lobby.makeRoom(GRACE)
      if ([...this.#shut].some(({ local }) => local)) this.#clearLobby()
    }, CLEARED_EVERY).unref()
  }

  /** True if no more connections may be opened. Those that the handshakes will want to open count too. */
  #isFull(): boolean {
    const { limit, forConnections, outgoing } = this.descriptors
    const coming = Math.min(this.#handshakes, limit / 4)
    return this.#open >= this.#maxConnections || this.#open + outgoing + coming >= forConnections
  }

  #isCrowded(port: Port): boolean {
    if (this.#ports.size < 2) return false
    const { forConnections, outgoing } = this.descriptors
    const carrying = this.#open - this.#handshakes + outgoing
    const share = (Math.min(this.#maxConnections, forConnections) - carrying) / (2 * this.#ports.size)
    return port.handshakes >= Math.max(LEAST_SHARE, share)
  }

  #lookAgain(): void {
    if (this.#shut.size === 0 || this.#isFull()) return
    for (const port of this.#shut) {
      if (port.isFull || this.#isCrowded(port)) continue
      this.#shut.delete(port)
      port.open()
    }
  }

  #reason(port: Port): string {
    if (port.isFull) return `${port.count} are open`
    if (this.#open >= this.#maxConnections) return `${this.#open} are open`
    if (!this.#isFull()) return 'its handshakes have used up their share; other transports keep theirs'
    return `most of the ${this.descriptors.limit} files that this process may open (LimitNOFILE, ulimit -n) are in use`
  }

  // The ports call these three.

  began(): void {
    this.#open++
    this.#handshakes++
  }

  over(): void {
    this.#handshakes--
    this.#lookAgain()
  }

  closed(): void {
    this.#open--
    this.#lookAgain()
  }
}

function warning(log: Report['log']): (text: string) => void {
  return seldom(SAID_EVERY, (text: string) => log('warning', text))
}

class Port implements Entrance {
  readonly name: string
  readonly local: boolean
  readonly connections: Connections
  readonly warn: (text: string) => void
  handshakes = 0
  /** The connections that are open. */
  count = 0
  readonly #maxConnections: number
  readonly #ports: Ports
  readonly #gate: AcceptGate | undefined

  constructor(ports: Ports, listener: Server, options: PortOptions, warn: (text: string) => void) {
    this.#ports = ports
    this.name = options.name
    this.local = options.local
    this.connections = options.connections ?? ports.connections
    this.warn = warn
    this.#maxConnections = options.maxConnections ?? Number.POSITIVE_INFINITY
    this.#gate = acceptGate(listener)
  }

  /** True if there are as many connections as this port may have. */
  get isFull(): boolean {
    return this.count >= this.#maxConnections
  }

  began(): void {
    this.handshakes++
    this.count++
    this.#ports.began()
  }

  over(): void {
    this.handshakes--
    this.#ports.over()
  }

  closed(): void {
    this.count--
    this.#ports.closed()
  }

  /** False if this version of Node cannot stop accepting: then it goes on until the system refuses. */
  shut(): boolean {
    this.#gate?.shut()
    return this.#gate !== undefined
  }

  open(): void {
    this.#gate?.open()
  }
}
