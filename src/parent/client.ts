/**
 * A PT client as an application uses it: launched with the environment of a client, kept running, and dialled through.
 *
 *     await using pt = await launchClient({ exec: 'obfs4proxy', transports: ['obfs4'], stateDir: '/var/lib/app/pt' })
 *     const conn = await pt.connect('obfs4', '198.51.100.1:443', { args: { cert: '…', 'iat-mode': '0' } })
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { Address, ArgsInit, OutboundBind, ProxyUri, SocksProtocol } from '../ipc/index.ts'
import { formatClientEnvironment, parseProxyUri } from '../ipc/index.ts'
import { aString, checkArgument, checkOptions } from '../options.ts'
import { parseCommand } from './command.ts'
import { connectThrough } from './connect.ts'
import { Discretion, secretsOfProxy } from './discretion.ts'
import { absolutePath, childEnvironment } from './child-environment.ts'
import { GuessedWords } from './guess.ts'
import type { PtEvent } from './events.ts'
import type { Life } from './life.ts'
import type { LaunchOptions, Managed, Role } from './managed.ts'
import { supervised } from './managed.ts'
import { clientChecks, connectChecks } from './option-checks.ts'
import { Outcomes } from './outcomes.ts'

/** The options of launchClient. */
export interface LaunchClientOptions extends LaunchOptions {
  readonly transports: readonly string[]
  /** The upstream proxy of the PT, such as `socks5://user:password@192.0.2.1:1080`. The PT has to confirm it. */
  readonly proxy?: ProxyUri | string
  /** Source addresses of the PT's outgoing connections, for PTs that know of them. */
  readonly outboundBind?: OutboundBind
  /** Takes a PT whose SOCKS port is not on loopback. Its connections are then readable on the way there. */
  readonly allowRemote?: boolean
  /**
   * Milliseconds for a whole `connect`, the wait for a restart included. Default 120,000: longer than a PT tries, so that
   * its reason for a failure arrives.
   */
  readonly connectTimeout?: number
}

/** The address at which a transport is reached, and its protocol. */
export interface ClientMethod {
  readonly protocol: SocksProtocol
  readonly address: Address
}

/** The options of `ClientPt.connect`. */
export interface ConnectOptions {
  /** Per-connection arguments, as the bridge line has them. */
  readonly args?: ArgsInit
  readonly signal?: AbortSignal
}

/** A PT client that runs: its transports, connections through it, and its end. */
export interface ClientPt extends Managed {
  /** The transports that run. Addresses change with a restart. */
  readonly methods: ReadonlyMap<string, ClientMethod>
  /**
   * Opens a connection to `target` (`host:port`, IPv6 in brackets) through `transport`. While the PT is restarted, it waits for it.
   *
   * What `conn.end()` does is up to the PT. obfs4proxy and ours close the connection both ways: what was written is delivered, and of
   * an answer only what has come by then can be read. lyrebird does nothing until the other side has ended as well. `postern pt
   * --half-open` at both ends leaves the answer its time.
   *
   * If the PT could not connect and says why, as ours does, it rejects with the code of the stage (`PT_CONNECT`, `PT_HANDSHAKE` …; see
   * docs/errors.md), with `stage`, and with the PT's account in `reported`. If the PT does not say which connection it speaks of, it
   * rejects with PT_SOCKS_REFUSED, and `reported` is what the PT said at about that time. Other codes: PT_LAUNCH for a transport that is
   * not there; PT_ARGS, PT_ADDRESS, PT_TIMEOUT, PT_CLOSED, PT_SOCKS, PT_CONNECT; PT_STOPPED, PT_EXITED or PT_CRASH_LOOP if the PT is
   * gone for good; or the signal's reason.
   */
  connect(transport: string, target: string, options?: ConnectOptions): Promise<Duplex>
  /**
   * Rejects with PT_EXITED if `conn`, which came from connect(), has ended because its PT did: the end of a stream does not
   * tell a download that is complete from one that was cut off so. Opens no connection. Costs some microseconds on Linux, and
   * up to 200 ms elsewhere and behind a wrapper script.
   */
  requireAlive(conn: Duplex): Promise<void>
}

/**
 * Launches a PT client and resolves when it is ready (CMETHODS DONE) with at least one transport. Rejects when nothing of
 * it is left: PT_OPTION, PT_NAME, PT_ENV or PT_PROXY_URI for options that cannot be said; PT_EXEC, PT_EXITED, PT_TIMEOUT,
 * PT_PROTOCOL, PT_LINE_TOO_LONG, PT_VERSION, PT_ENV, PT_PROXY_URI or PT_LAUNCH for what the PT did.
 */
export async function launchClient(options: LaunchClientOptions): Promise<ClientPt> {
  checkOptions('launchClient', options, clientChecks)
  const { transports, outboundBind, allowRemote = false, connectTimeout = 120_000 } = options
  const proxy = typeof options.proxy === 'string' ? parseProxyUri(options.proxy) : options.proxy
  const own = formatClientEnvironment({ transports, stateDir: absolutePath(options.stateDir), proxy, outboundBind })
  const command = parseCommand(options.exec)
  const plan = {
    command,
    env: childEnvironment(own, options.env, command.program),
    expected: { role: 'client', transports, proxy: proxy !== undefined, allowRemote } as const,
  }
  const [outcomes, guessed] = [new Outcomes(), new GuessedWords()]
  const onEvent = (event: PtEvent): void => {
    outcomes.note(event)
    guessed.note(event)
    options.onEvent?.(event)
  }
  const discretion = new Discretion([...secretsOfProxy(proxy), ...(options.secrets ?? [])])
  const role: Role = { transports, plan: () => plan, discretion }
  const supervisor = await supervised({ ...options, onEvent }, role)
  const lives = new WeakMap<Duplex, Life>()
  const context = { supervisor, outcomes, guessed, discretion, lives, timeout: connectTimeout }
  return {
    get methods() {
      return methodsOf(supervisor.life)
    },
    get failures() {
      return supervisor.life.failures
    },
    requireAlive: async (conn) => {
      if ((await lives.get(conn)?.isOver()) === true) {
        throw new PtError('PT_EXITED', 'the PT ended while it carried a connection', { stage: 'closed' })
      }
    },
    connect: async (transport, target, options = {}) => {
      checkArgument('connect', 'transport', transport, aString)
      checkArgument('connect', 'target', target, aString)
      checkOptions('connect', options, connectChecks)
      const { args, signal } = options
      return await connectThrough(context, { transport, target, args, signal })
    },
    stop: () => supervisor.stop(),
    [Symbol.asyncDispose]: async () => void (await supervisor.stop()),
  }
}

function methodsOf({ methods }: Life): Map<string, ClientMethod> {
  const own = [...methods.values()].filter((method) => method.type === 'cmethod')
  return new Map(own.map(({ transport, protocol, address }) => [transport, { protocol, address }]))
}
