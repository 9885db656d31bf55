/**
 * The contract of a transport: types only. docs/write-a-transport.md is the guide.
 *
 *     parent ── SOCKS ── PT client ── dial() ══ transport's bytes ══ accept() ── PT server ── ORPort ── application
 *
 * A transport recodes connections and nothing else: it opens sockets only by `connect`, writes files only below
 * `stateDir`, and never touches the process, its environment or its standard streams.
 */
import type { Duplex } from 'node:stream'
import type { Cancellation } from './io/index.ts'
import type { Args, ArgsInit, Severity } from './ipc/index.ts'

export type { Args, ArgsInit, Severity } from './ipc/index.ts'
export type { Cancellation, Codec } from './io/index.ts'

/**
 * Opens a TCP connection to `target` (`host:port`, IPv6 in brackets), through the upstream proxy and from the outbound
 * address that the parent asked for. There is no other way out.
 */
export type Connect = (target: string, signal: Cancellation) => Promise<Duplex>

/** How a transport speaks to the operator. Addresses and secrets do not belong into either. */
export interface Report {
  /** A LOG line. */
  readonly log: (severity: Severity, message: string) => void
  /** A STATUS line; TRANSPORT is put before the pairs. */
  readonly status: (pairs: ArgsInit) => void
}

/** One connection that the parent asked for. */
export interface ClientSession extends Report {
  /** The bridge, `host:port`, as the parent gave it. */
  readonly target: string
  /** The per-connection arguments. */
  readonly args: Args
  readonly connect: Connect
  /**
   * Lives as long as the connection, and aborts once: when the time of the handshake is over, when the parent hangs up, or when
   * the connection has ended for another reason, such as that the PT shuts down.
   */
  readonly signal: AbortSignal
  /** The same, and enough for `connect` and the readers of this package: in a PT the signal is made for who asks for it. */
  readonly cancellation?: Cancellation
}

/** One connection of a PT client to this server. */
export interface ServerSession extends Report {
  readonly conn: Duplex
  /**
   * Lives as long as the connection, and aborts once: when the time of the handshake is over, when the client has gone, or when
   * the connection has ended for another reason, such as that the PT shuts down. A server that holds a failed handshake open
   * does so for at most its own time.
   */
  readonly signal: AbortSignal
  /** As a client's. */
  readonly cancellation?: Cancellation
}

export interface Client {
  /** The connection to the bridge, ready for the application's bytes. A rejection fails the parent's SOCKS request. */
  dial(session: ClientSession): Promise<Duplex>
  /**
   * True: in a PT, a dial goes on to its own time limit after the parent has hung up, and what comes of it is closed. So an
   * observer does not see that nobody waits any more. `signal` does not abort then; in process and in a race it always does.
   */
  readonly outlastsParent?: boolean
}

export interface Server {
  /** What clients need in order to use this server: the ARGS of SMETHOD. */
  readonly args?: ArgsInit
  /** The connection as the application is to see it. A rejection closes `conn`; nothing is sent. */
  accept(session: ServerSession): Promise<Duplex>
}

export interface ClientOptions extends Report {
  /**
   * A folder that the PT makes with mode 0700 if it is missing. Where the system forbids that it may be read-only, and for a
   * client it may be missing: only what has to be written fails then. Shared with every other transport and with other processes:
   * begin file names with the transport's.
   */
  readonly stateDir: string
}

export interface ServerOptions extends ClientOptions {
  /** The options of this transport in TOR_PT_SERVER_TRANSPORT_OPTIONS. */
  readonly args: Args
}

export interface Transport {
  /** A C identifier, unique in its PT. */
  readonly name: string
  /** Called once at launch. What it throws becomes CMETHOD-ERROR with the error's message. */
  client(options: ClientOptions): Client | Promise<Client>
  /** Called once at launch. What it throws becomes SMETHOD-ERROR with the error's message. */
  server(options: ServerOptions): Server | Promise<Server>
  /**
   * Both sides for each other, with keys of their own, that write no file: a PT lets them shake hands a few times before the first
   * real connection, as code is slow when it runs for the first time. Without it there is no rehearsal.
   */
  rehearsal?(): Rehearsal
}

export interface Rehearsal {
  readonly client: Client
  readonly server: Server
  /** The arguments with which `client` dials `server`. */
  readonly args?: ArgsInit
}
