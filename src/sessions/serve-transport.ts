/**
 * A transport's server on a listener, which gives the streams of its clients. A PT serves its ORPort by it, and a program
 * that runs a bridge in its own process serves whatever it likes.
 *
 *     server() ── bind ── SMETHOD's address and ARGS ── accept … ── closeListener ── drain ── close
 */
import type { Server as Listener } from 'node:net'
import { createServer } from 'node:net'
import { listenerOptions } from '../io/tcp/tcp.ts'
import type { Address } from '../ipc/index.ts'
import { Args, DEFAULT_BIND_ADDRESS } from '../ipc/index.ts'
import type { Connect, Replays, Report, Transport } from '../transport.ts'
import { requireArguments } from './arguments.ts'
import { bind } from './bind.ts'
import { closeEnd } from './close.ts'
import type { Connections } from './connections.ts'
import type { Ports } from './ports.ts'
import type { Rehearsals } from './rehearsal.ts'
import { failClosed, replaysInMemory } from './replays.ts'
import type { OnIncoming, ServiceOptions } from './service.ts'
import { Service } from './service.ts'
import { silentReport } from './silent-report.ts'

export interface ServeOptions extends Omit<ServiceOptions, 'connections'> {
  readonly transport: Transport
  /** The server's options. Default none. */
  readonly args?: Args | undefined
  /** The address to listen on; `0.0.0.0` is every address of the machine. Default a port of the system's choice there. */
  readonly bindAddress?: Address | undefined
  /** The other addresses that this process listens on. */
  readonly otherAddresses?: readonly Address[] | undefined
  /** A folder that exists, for the state that the server keeps. */
  readonly stateDir: string
  /** Shared by all servers of the process, as they share its file descriptors. */
  readonly ports: Ports
  /** Counts the connections of this server apart from those of other servers. Default those of `ports`. */
  readonly connections?: Connections | undefined
  /** The number of connections at once; those beyond it wait to be accepted. By default only the process has a limit. */
  readonly maxConnections?: number | undefined
  /** Says what the port has to say, such as that newcomers wait. By default `ports` says it. */
  readonly portLog?: Report['log'] | undefined
  /** The table of what was seen before. Default one in memory. */
  readonly replays?: Replays | undefined
  /** The list to which a rehearsal is added, and what it does with its streams: it takes them to `echo` by `connect`. */
  readonly rehearsal?: ServerRehearsal | undefined
  /** True if the caller has given the launch up; it is asked after each step that takes time. */
  readonly abandoned?: (() => boolean) | undefined
}

interface ServerRehearsal {
  readonly rehearsals: Rehearsals
  readonly onConnection: (echo: Address, connect: Connect) => OnIncoming
}

export interface TransportServer {
  readonly listener: Listener
  /** What clients are told: the server's own address if it has one, or else the bound one. */
  readonly address: Address
  /** The address that it listens on. */
  readonly boundAddress: Address
  /** What clients need in order to use it. */
  readonly args: Args
  readonly connections: Connections
  /** Accepts no more connections, and frees the port at once. Those that are open go on. */
  closeListener(): void
  /** Resolves when all connections have closed; after `ms` milliseconds those that are left are cut. */
  drain(ms: number): Promise<void>
  /** Ends all at once, and then the transport's own server. Never rejects. */
  close(): Promise<void>
}

/** Launches the server and listens. Rejects with what the transport throws, PT_ARGS, or the error of the bind address. */
export async function serveTransport(options: ServeOptions): Promise<TransportServer> {
  const { transport, report, ports, stateDir, args = Args.none, bindAddress = DEFAULT_BIND_ADDRESS } = options
  const connections = options.connections ?? ports.connections
  const service = new Service({ ...options, connections })
  requireArguments(transport, args, 'server')
  const replays = failClosed(options.replays ?? replaysInMemory(), report)
  const server = await transport.server({ stateDir, args, replays, deliver: service.deliver, ...report })
  const listener = createServer(listenerOptions)
  try {
    if (options.abandoned?.() === true) throw new Error('launched too late')
    const boundAddress = await bind(listener, bindAddress, options.otherAddresses)
    if (options.abandoned?.() === true) throw new Error('launched too late')
    const { address = boundAddress } = server
    if (options.rehearsal !== undefined) addRehearsal(options, options.rehearsal)
    const port = {
      name: transport.name,
      local: false,
      connections,
      maxConnections: options.maxConnections,
      log: options.portLog,
    }
    ports.accept(listener, port, (conn, admission) => {
      options.rehearsal?.rehearsals.stop()
      void service.serve(server, conn, admission)
    })
    return {
      listener,
      address,
      boundAddress,
      args: Args.from(server.args ?? Args.none),
      connections,
      closeListener: () => void listener.close(),
      drain: (ms) => connections.drain(ms),
      async close() {
        listener.close()
        service.end()
        connections.cut()
        await closeEnd(server, report)
      },
    }
  } catch (error) {
    listener.close()
    service.end()
    void closeEnd(server, report)
    throw error
  }
}

function addRehearsal(options: ServeOptions, { rehearsals, onConnection }: ServerRehearsal): void {
  rehearsals.addServer(options.transport, (server, { connect, ports }, echo) => {
    const { connections } = ports
    const service = new Service({
      ...options,
      report: silentReport,
      connections,
      onConnection: onConnection(echo, connect),
    })
    return (conn, admission) => void service.serve(server, conn, admission)
  })
}
