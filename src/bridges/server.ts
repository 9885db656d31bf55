/**
 * The far end of a bridge in an application, in the manner of node:net: the servers of transports, in this process or as a PT, and
 * their connections as they come.
 *
 *     await using server = await createBridgeServer(
 *       { transports: ['obfs4'], stateDir: '/var/lib/app/pt' },
 *       (conn, { transport, userAddr }) => conn.end(`hello, user of ${transport}\n`),
 *     )
 *     server.bridgeLines('203.0.113.7')       what to hand out
 */
import type { Duplex } from 'node:stream'
import type { Address } from '../ipc/index.ts'
import { aFunction, checkArgument, checkOptions } from '../options.ts'
import type { ExitStatus, LaunchServerOptions, ServerPt, ServerTransportInit } from '../parent/index.ts'
import { launchServer } from '../parent/index.ts'
import type { TransportSource } from './dialer.ts'
import { bridgeServerChecks } from './option-checks.ts'
import { bridgeLineOf } from './server-line.ts'
import { bridgeServerInProcess } from './server-in-process.ts'

/**
 * The options of createBridgeServer: those of launchServer, except the destination. Without `exec` there is no program, and `env`,
 * `outboundBind`, `restart`, `secrets`, `startTimeout` and `stopTimeout` have no meaning; of `onEvent` there is only `log` then.
 */
export interface BridgeServerOptions extends Omit<
  LaunchServerOptions,
  'exec' | 'transports' | 'destination' | 'onConnection'
> {
  /** The program of a PT, or the program and its arguments. Without it the transports run in this process. */
  readonly exec?: string | readonly string[] | undefined
  /** The transports: names, or names with their bind address and options. */
  readonly transports: readonly (string | ServerTransportInit)[]
  /** The transports that can run in this process. `createBridgeServer` of `postern` has the built-in ones by default. */
  readonly implementations?: readonly TransportSource[] | undefined
  /** In this process: the number of connections at once; the next ones wait to be accepted. By default only the process has a limit. */
  readonly maxConnections?: number | undefined
  /**
   * The end of one direction leaves the other open, if the client allows it as well. With `exec` it is the PT that decides: give it
   * `--half-open` if it is ours.
   */
  readonly halfOpen?: boolean | undefined
}

/** The transport and the client of a connection, as far as the PT said. */
export interface BridgeUser {
  readonly transport: string | undefined
  readonly userAddr: Address | undefined
}

/**
 * The connection is the listener's from here on; it is ended with the server. What the listener throws is an uncaught
 * exception of the process, and that connection is cut off.
 */
export type BridgeListener = (conn: Duplex, user: BridgeUser) => void

/** A bridge server that runs. */
export interface BridgeServer extends Omit<ServerPt, 'stop'> {
  /** Ends every connection and the PT; see ServerPt. In this process it resolves with undefined, as no program has ended. */
  stop(): Promise<ExitStatus | undefined>
  /**
   * Makes a line for each transport, as clients take it. `publicAddress`, `<host>` or `<host>:<port>`, is the address of this
   * machine for them; without it the line has the bind address, or a placeholder if clients cannot connect to that.
   * The made-up address of webtunnel stays as it is. Throws PT_ADDRESS.
   */
  bridgeLines(publicAddress?: string): string[]
}

/**
 * Starts the servers and resolves when clients can connect. With `exec` it launches a PT, and rejects as launchServer does. Without,
 * the transports run in this process: it rejects with PT_LAUNCH for a transport that is not among `implementations`, PT_ARGS for wrong options,
 * the error of the bind address, or what the transport throws; nothing is left then.
 */
export async function createBridgeServer(
  options: BridgeServerOptions,
  listener: BridgeListener,
): Promise<BridgeServer> {
  checkOptions('createBridgeServer', options, bridgeServerChecks)
  checkArgument('createBridgeServer', 'listener', listener, aFunction)
  const { exec, implementations: _implementations, maxConnections: _most, halfOpen: _halfOpen, ...launch } = options
  const transports = options.transports.map((one) => (typeof one === 'string' ? { name: one } : one))
  if (exec === undefined) return await bridgeServerInProcess(options, transports, listener)
  const pt = await launchServer({
    ...launch,
    exec,
    transports,
    onConnection: ({ conn, transport, userAddr }) => listener(conn, { transport, userAddr }),
  })
  return {
    get methods() {
      return pt.methods
    },
    get failures() {
      return pt.failures
    },
    bridgeLines: (publicAddress) => [...pt.methods].map(([name, method]) => bridgeLineOf(name, method, publicAddress)),
    drain: (ms) => pt.drain(ms),
    stop: () => pt.stop(),
    [Symbol.asyncDispose]: async () => void (await pt.stop()),
  }
}
