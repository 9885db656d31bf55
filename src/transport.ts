/**
 * The contract of a transport: types only. docs/write-a-transport.md is the guide and says what happens if something goes wrong.
 * A transport opens sockets only by `connect` and `datagrams`, writes files only below `stateDir`, and never touches the process.
 */
import type { Duplex } from 'node:stream'
import type { Cancellation } from './io/wait/cancellation.ts'
import type { Datagrams } from './io/udp/datagrams.ts'
import type { Address, ArgumentFinding, Args, ArgsInit, Severity } from './ipc/index.ts'

export type { Codec } from './io/carry/codec.ts'
export type { Address, ArgumentFinding, Args, ArgsInit, Cancellation, Datagrams, Severity }

/** Opens a TCP connection to `host:port` (IPv6 in brackets), through the upstream proxy and from the address that the parent asked for. */
export type Connect = (target: string, signal: Cancellation) => Promise<Duplex>

/** Exchanges UDP datagrams with `host:port`: through a SOCKS 5 proxy by UDP ASSOCIATE. It rejects if there is another proxy. */
export type OpenDatagrams = (target: string, signal: Cancellation) => Promise<Datagrams>

/** How a transport speaks to the operator, by LOG and STATUS lines. Neither may hold addresses or secrets. */
export interface Report {
  readonly log: (severity: Severity, message: string) => void
  readonly status: (pairs: ArgsInit) => void
}

/** What both sorts of session have. The signal lives as long as the connection and aborts once, at the latest when it has ended. */
export interface Session extends Report {
  /** During the handshake it also aborts if the time is over or the other side hangs up. */
  readonly signal: AbortSignal
  /** The same signal in a cheaper form, which is enough for `connect` and the readers of postern/io. */
  readonly cancellation?: Cancellation
}

/** One connection that the parent asked for: the bridge as `host:port`, the per-connection arguments, and the ways out. */
export interface ClientSession extends Session {
  readonly target: string
  readonly args: Args
  readonly connect: Connect
  readonly datagrams?: OpenDatagrams
}

/** One connection that was made to this server. */
export type ServerSession = Session & { readonly conn: Duplex }

/** The client side of a transport. */
export interface Client {
  /** Resolves with a stream that is ready for the application's bytes. A rejection fails the parent's SOCKS request. */
  dial(session: ClientSession): Promise<Duplex>
  /** True if an observer must not see that the parent has hung up: in a PT a dial then goes on to its own time limit. */
  readonly outlastsParent?: boolean
  /** Ends what outlives connections. It is called once, when the PT stops, and is waited for only a short time. */
  close?(): void | Promise<void>
}

/** A stream for the application, and the client's `ip:port` or `ip` if the transport knows it; without it no address is said. */
export type Accepted = { readonly stream: Duplex; readonly userAddr?: string | undefined }

/** The server side of a transport. */
export interface Server {
  /** What clients need in order to use this server: the ARGS of SMETHOD. */
  readonly args?: ArgsInit
  /** What SMETHOD announces if clients reach the server at another address than the listener's, such as that of a front. */
  readonly address?: Address
  /** Undefined: `conn` belongs to a session that is delivered by itself. A Duplex alone comes from the address of `conn`. */
  accept(session: ServerSession): Promise<Duplex | Accepted | undefined>
  close?(): void | Promise<void>
}

/** All transports share `stateDir`, which may be read-only, or missing for a client. `connect` is for what belongs to no single dial. */
export interface ClientOptions extends Report {
  readonly stateDir: string
  readonly connect: Connect
}

/** What a server is given when it is launched; `args` are its options in TOR_PT_SERVER_TRANSPORT_OPTIONS. */
export interface ServerOptions extends Report {
  readonly stateDir: string
  readonly args: Args
  /** Hands a session's stream to the application. The PT counts it as a connection, and destroys it if there are too many. */
  readonly deliver: (stream: Duplex, client?: Pick<Accepted, 'userAddr'>) => void
  readonly replays: Replays
}

/** Remembers `id` for `ttl` milliseconds, and says whether it was remembered before. Another process may hold the table. */
export type Replays = { testAndSet(id: Uint8Array, ttl: number): boolean | Promise<boolean> }

/** A pluggable transport: its name, which is a C identifier and unique in its PT, and both of its sides. */
export interface Transport {
  readonly name: string
  /** Both are called once, at launch. What they throw becomes the message of CMETHOD-ERROR or SMETHOD-ERROR. */
  client(options: ClientOptions): Client | Promise<Client>
  server(options: ServerOptions): Server | Promise<Server>
  /** Everything that can be said about arguments without a connection; it is asked before dial() and server() are called. */
  checkArguments?(args: Args, role: 'client' | 'server'): readonly ArgumentFinding[]
  /** For handshakes of an end inside the PT before its first real connection, as code is slow when it runs for the first time. */
  rehearsal?(role: 'client' | 'server'): Rehearsal
}

/** Two ends for each other that write no file, and the arguments to dial with. */
export type Rehearsal = { readonly client: Client; readonly server: Server; readonly args?: ArgsInit }
