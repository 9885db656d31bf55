/**
 * A PT server as an application uses it: launched with the environment of a server and kept running on the same ports.
 *
 *     await using pt = await launchServer({
 *       exec: 'obfs4proxy', transports: [{ name: 'obfs4' }], stateDir: '/var/lib/app/pt',
 *       onConnection: ({ conn, transport, userAddr }) => serve(conn),
 *     })
 *     pt.methods.get('obfs4')?.args     what clients need: cert, iat-mode
 */
import type { Address, ArgsInit, Destination, OutboundBind } from '../ipc/index.ts'
import { Args, DEFAULT_BIND_ADDRESS, formatOutboundBind, formatServerEnvironment, parseAddress } from '../ipc/index.ts'
import { checkOptions } from '../options.ts'
import { parseCommand } from './command.ts'
import { Discretion } from './discretion.ts'
import { absolutePath, childEnvironment } from './child-environment.ts'
import type { Life } from './life.ts'
import type { LaunchOptions, Managed, Role } from './managed.ts'
import { supervised } from './managed.ts'
import { serverChecks } from './option-checks.ts'
import type { OnConnection } from './destination.ts'
import { openDestination } from './destination.ts'
import type { Supervisor } from './supervise.ts'

/** The options of launchServer. */
export interface LaunchServerOptions extends LaunchOptions {
  readonly transports: readonly ServerTransportInit[]
  /** The service that the PT forwards to. Exactly one of this and `onConnection` is given. */
  readonly destination?: Destination
  /** Takes the connections themselves, over an Extended ORPort that is served on loopback as long as the PT runs. */
  readonly onConnection?: OnConnection
  /** Source addresses of the PT's outgoing connections, for PTs that know of them. */
  readonly outboundBind?: OutboundBind
}

/** One transport of a server: its name, bind address and options. */
export interface ServerTransportInit {
  readonly name: string
  /** The `<ip>:<port>` to listen on; by default every IPv4 interface and a port of the system's choice. */
  readonly bindAddress?: Address | string
  /** The transport's options, such as `{ 'iat-mode': '1' }`. */
  readonly options?: ArgsInit
}

/** The address at which clients reach a transport, and the arguments that they need. */
export interface ServerMethod {
  readonly address: Address
  readonly args: Args
}

/** A PT server that runs: its transports, and its end. */
export interface ServerPt extends Managed {
  readonly methods: ReadonlyMap<string, ServerMethod>
  /**
   * Asks the PT by SIGINT to close its ports and to end by itself after its last connection, which `postern`, obfs4proxy and
   * lyrebird do; another program may end at once. Resolves when the PT has ended, or after `ms` milliseconds; it is not
   * started again, and stop() is still to be called. On Windows, which has no signals, it does nothing.
   */
  drain(ms: number): Promise<void>
}

/**
 * Launches a PT server and resolves when it is ready (SMETHODS DONE) with at least one transport. A port that the system
 * chose is kept through restarts, as clients know it by then. Rejects as `launchClient` does; with PT_ENV if there is not
 * exactly one of `destination` and `onConnection`.
 */
export async function launchServer(options: LaunchServerOptions): Promise<ServerPt> {
  checkOptions('launchServer', options, serverChecks)
  const command = parseCommand(options.exec)
  const names = options.transports.map(({ name }) => name)
  const bound = new Map(options.transports.map(({ name, bindAddress }) => [name, bindAddressOf(bindAddress)]))
  const stateDir = absolutePath(options.stateDir)
  const open = await openDestination({ ...options, stateDir })
  const destination = absoluteDestination(open.destination)
  const environment = (): Record<string, string> => {
    const transports = options.transports.map(({ name, options }) => ({ name, options, bindAddress: bound.get(name) }))
    const own = formatServerEnvironment({ transports, stateDir, destination })
    return childEnvironment({ ...own, ...formatOutboundBind(options.outboundBind) }, options.env, command.program)
  }
  const values = options.transports.flatMap(({ options = [] }) => [...Args.from(options)].map(([, value]) => value))
  const discretion = new Discretion([...values, ...(options.secrets ?? [])])
  const role: Role = {
    transports: names,
    discretion,
    plan: () => ({
      command,
      env: environment(),
      expected: { role: 'server', transports: names, proxy: false, allowRemote: true },
    }),
    onFirstReady: ({ methods }) => {
      for (const method of methods.values()) {
        if (method.type === 'smethod') discretion.add([...method.args].map(([, value]) => value))
      }
      for (const [name, { host, port }] of bound) {
        const announced = methods.get(name)?.address
        if (port === 0 && announced !== undefined && isListener(announced, host)) {
          bound.set(name, { host, port: announced.port })
        }
      }
    },
    cleanUp: () => open.close(),
  }
  try {
    return serverPt(await supervised(options, role))
  } catch (error) {
    await open.close()
    throw error
  }
}

function absoluteDestination(destination: Destination): Destination {
  if (destination.type === 'orPort') return destination
  return { ...destination, cookieFile: absolutePath(destination.cookieFile) }
}

function serverPt(supervisor: Supervisor): ServerPt {
  return {
    get methods() {
      return methodsOf(supervisor.life)
    },
    get failures() {
      return supervisor.life.failures
    },
    drain: (ms) => supervisor.drain(ms),
    stop: () => supervisor.stop(),
    [Symbol.asyncDispose]: async () => void (await supervisor.stop()),
  }
}

function methodsOf({ methods }: Life): Map<string, ServerMethod> {
  const own = [...methods.values()].filter((method) => method.type === 'smethod')
  return new Map(own.map(({ transport, address, args }) => [transport, { address, args }]))
}

/** False if the PT announces another address than it was told to listen on: that of a front, whose port is no port of this machine. */
function isListener(announced: Address, host: string): boolean {
  return [host, '0.0.0.0', '::'].includes(announced.host)
}

function bindAddressOf(given: Address | string | undefined): Address {
  return typeof given === 'string' ? parseAddress(given) : (given ?? DEFAULT_BIND_ADDRESS)
}
