/**
 * The far end of a bridge in an application, in the manner of node:net: a PT server, and its connections as they come.
 *
 *     await using server = await createBridgeServer(
 *       { exec: 'obfs4proxy', transports: ['obfs4'], stateDir: '/var/lib/app/pt' },
 *       (conn, { transport, userAddr }) => conn.end(`hello, user of ${transport}\n`),
 *     )
 *     server.bridgeLines('203.0.113.7')       what to hand out
 */
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Address, Args } from '../ipc/index.ts'
import { formatAddress, isHostName, parseTarget } from '../ipc/index.ts'
import { aFunction, checkArgument, checkOptions } from '../options.ts'
import type { LaunchServerOptions, ServerPt, ServerTransportInit } from '../parent/index.ts'
import { launchServer } from '../parent/index.ts'
import { formatBridgeLine } from '../lines/bridge-line.ts'
import { bridgeServerChecks } from './option-checks.ts'

/** The options of createBridgeServer: those of launchServer, except the destination. */
export interface BridgeServerOptions extends Omit<LaunchServerOptions, 'transports' | 'destination' | 'onConnection'> {
  /** The transports: names, or names with their bind address and options. */
  readonly transports: readonly (string | ServerTransportInit)[]
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
export interface BridgeServer extends ServerPt {
  /**
   * Makes a line for each transport, as clients take it. `publicAddress`, `<host>` or `<host>:<port>`, is the address of this
   * machine for them; without it the line has the bind address, or a placeholder if clients cannot connect to that. Throws PT_ADDRESS.
   */
  bridgeLines(publicAddress?: string): string[]
}

/** Takes the place of the address in a line that still lacks it. No program reads it as an address. */
export const PLACEHOLDER = '<IP ADDRESS>'

/** Launches the PT server and resolves when it is ready. Rejects as launchServer does. */
export async function createBridgeServer(
  options: BridgeServerOptions,
  listener: BridgeListener,
): Promise<BridgeServer> {
  checkOptions('createBridgeServer', options, bridgeServerChecks)
  checkArgument('createBridgeServer', 'listener', listener, aFunction)
  const transports = options.transports.map((one) => (typeof one === 'string' ? { name: one } : one))
  const pt = await launchServer({
    ...options,
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

/** The line of one server; see BridgeServer. Throws PT_ADDRESS. */
export function bridgeLineOf(
  transport: string,
  { address, args }: { readonly address: Address; readonly args: Args },
  publicAddress?: string,
): string {
  return lineOf(transport, publicOf(address, publicAddress), args)
}

function publicOf(bound: Address, given: string | undefined): Address {
  if (given === undefined) return bound
  const host = given.replace(/^\[(.*)\]$/, '$1')
  return isIP(host) !== 0 || isHostName(host) ? { host, port: bound.port } : parseTarget(given)
}

function lineOf(transport: string, { host, port }: Address, args: Args): string {
  if (!/^(?:0\.0\.0\.0|::)$/.test(host)) {
    return formatBridgeLine({ transport, address: formatAddress({ host, port }), args })
  }
  const pairs = [...args].map(([key, value]) => `${key}=${value}`)
  return [transport, `${PLACEHOLDER}:${port}`, ...pairs].join(' ')
}
