/**
 * A bridge, or several for one purpose, as an application uses it: opened once, dialled as often as need be.
 *
 *     await using bridge = await openBridge('obfs4 198.51.100.1:443 cert=… iat-mode=0')
 *     const conn = await bridge.connect()        a Duplex that ends at the server behind the bridge
 */
import { setMaxListeners } from 'node:events'
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import { deadline } from '../io/wait/deadline.ts'
import { secretsOf } from '../ipc/index.ts'
import { checkArgument, checkOptions } from '../options.ts'
import type { PtEvent } from '../parent/index.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'
import { parseBridgeLine } from '../lines/bridge-line.ts'
import type { Strategy } from './candidates.ts'
import { Candidates } from './candidates.ts'
import type { Dialer, DialerOptions } from './dialer.ts'
import { Emitter } from './emitter.ts'
import { inProcessDialer } from './in-process.ts'
import { bridgeChecks, connectChecks, someBridgeLines } from './option-checks.ts'
import type { ProxyDoor } from './proxy-door.ts'
import { openProxyDoor } from './proxy-door.ts'
import { ptProcessDialer } from './pt-process.ts'
import { BridgeSocket } from './socket.ts'
import type { BridgeConnection } from './socket-like.ts'
import { socketLike } from './socket-like.ts'
import { TempFolder } from './temp-folder.ts'

/** A bridge line or a list of them, each as text or as parseBridgeLine returns it. */
export type BridgeLines = string | BridgeLine | readonly (string | BridgeLine)[]

/** The options of openBridge and connectBridge. */
export interface OpenBridgeOptions extends DialerOptions {
  /** How one of several bridges is chosen: `failover` (default) prefers the first ones, `race` takes whichever answers first. */
  readonly strategy?: Strategy | undefined
  /** Closes the bridge when it aborts. */
  readonly signal?: AbortSignal | undefined
  /** Opens the dialer; by default each bridge has one of its own. */
  readonly open?: ((names: readonly string[], options: OpenBridgeOptions) => Promise<OpenDialer>) | undefined
  /** With `require: 'any'`: told of each line whose transport is not there, in the words of the PT. */
  readonly onPassedOver?: ((line: BridgeLine, why: string) => void) | undefined
  /** What the PT's process says and does; unchecked, and with addresses. */
  readonly onPtEvent?: ((event: PtEvent) => void) | undefined
}

/** The time limit around all bridges is longer by this, in ms, as the dialer's own time-out says at which stage time ran out. */
const GRACE = 500

/** The options of `Bridge.connect`. */
export interface BridgeConnectOptions {
  /** Its abort gives the connection up. */
  readonly signal?: AbortSignal | undefined
}

/** The events of a bridge. What a listener throws is an uncaught exception of the process; the bridge goes on, and the other listeners are told. */
export interface BridgeEvents {
  /** Connections can be made. It comes again after each restart. */
  ready: []
  /** A connection was made. */
  connection: [conn: BridgeConnection]
  /** A bridge could not be reached; `error.stage` says how far the dial came. Another bridge may have taken its place. */
  failure: [error: PtError, line: BridgeLine]
  /** One of several bridges had failed and answers again. */
  recovery: [line: BridgeLine]
  /** The PT has ended and is started again. */
  restart: [error: PtError]
  /** Nothing more can be carried. The error is that of a PT that cannot be kept running. */
  closed: [error?: PtError]
}

/** A bridge, or several for one purpose, as openBridge makes it. */
export class Bridge extends Emitter<BridgeEvents> implements AsyncDisposable {
  readonly lines: readonly BridgeLine[]
  readonly #dialer: Dialer
  readonly #candidates: Candidates
  readonly #connectTimeout: number
  readonly #closing = new AbortController()
  readonly #open = new Set<Duplex>()
  readonly #cleanUp: () => Promise<void>
  #closed: Promise<void> | undefined

  constructor(dialer: Dialer, lines: readonly BridgeLine[], options: OpenBridgeOptions, cleanUp: () => Promise<void>) {
    super()
    this.lines = lines
    // Each connection that is being made listens, so there may be many.
    setMaxListeners(0, this.#closing.signal)
    this.#dialer = dialer
    this.#cleanUp = cleanUp
    this.#connectTimeout = options.connectTimeout ?? 60_000
    this.#candidates = new Candidates({
      lines,
      strategy: options.strategy ?? 'failover',
      dial: (line, signal) => dialer.dial(line, signal),
      onFailure: (error, line) => this.emit('failure', error, line),
      onRecovery: (line) => this.emit('recovery', line),
    })
    const unwatch = dialer.watch({
      ready: () => this.emit('ready'),
      restart: (error) => this.emit('restart', error),
      gaveUp: (error) => void this.#close(error),
    })
    const abort = (): void => void this.close()
    options.signal?.addEventListener('abort', abort, { once: true })
    this.#closing.signal.addEventListener('abort', () => {
      unwatch()
      options.signal?.removeEventListener('abort', abort)
    })
    // The caller has to be able to listen first.
    setImmediate(() => {
      if (!this.#closing.signal.aborted) this.emit('ready')
    })
  }

  /**
   * Opens a connection to the server behind the bridge. It has one end for both directions: after `conn.end(request)` all of the
   * request is delivered, but of the answer only what has come by then; so read the answer first, as by its length, and end
   * after it. With the option `halfOpen` at both ends, `conn.end(request)` leaves the answer its time.
   *
   * Rejects with the bridge's PtError, whose `stage` says how far the dial came; PT_BRIDGES if there are several; PT_TIMEOUT;
   * PT_STOPPED after close(); or the signal's reason. Clients that ask for a socket take it for one.
   */
  async connect(options: BridgeConnectOptions = {}): Promise<BridgeConnection> {
    checkOptions('connect', options, connectChecks)
    const { signal } = options
    this.#closing.signal.throwIfAborted()
    signal?.throwIfAborted()
    using limit = deadline(this.#connectTimeout + GRACE, 'the connection to the bridge', signal)
    using stop = following(this.#closing.signal, limit.signal)
    const conn = socketLike(await this.#candidates.connect(stop.signal))
    this.#open.add(conn)
    conn.once('close', () => this.#open.delete(conn))
    // A connection that is closed with the bridge may have no listener, and its error must not end the process.
    conn.on('error', () => {})
    this.emit('connection', conn)
    return conn
  }

  /**
   * Returns a socket at once, which connects by itself, for clients that want one before there is a connection:
   *
   *     new pg.Client({ stream: () => bridge.socket(), … })
   *
   * What is written meanwhile waits. That the bridge cannot be reached, or is closed, is the socket's 'error'.
   */
  socket(): BridgeSocket {
    return new BridgeSocket((signal) => this.connect({ signal }))
  }

  /** True if the transports run in this process, and there is no PT that could end. */
  get inProcess(): boolean {
    return this.#dialer.inProcess
  }

  /** Rejects with PT_EXITED if `conn`, which came from connect(), ended because its PT did. */
  async requireAlive(conn: Duplex): Promise<void> {
    await this.#dialer.requireAlive(conn)
  }

  /** Ends every connection and the PT. Every call gives the same result. */
  async close(): Promise<void> {
    await this.#close()
  }

  #close(error?: PtError): Promise<void> {
    this.#closed ??= this.#shut(error)
    return this.#closed
  }

  async #shut(error?: PtError): Promise<void> {
    this.#closing.abort(error ?? new PtError('PT_STOPPED', 'the bridge has been closed'))
    this.#candidates[Symbol.dispose]()
    for (const conn of this.#open) conn.destroy()
    await this.#cleanUp()
    if (error === undefined) this.emit('closed')
    else this.emit('closed', error)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/**
 * Opens a bridge, or several of which any will do, and resolves when connections can be made; none is made yet. With `exec`
 * as a PT program, otherwise in this process. Rejects with PT_OPTION, PT_BRIDGE_LINE, PT_PROXY_URI, PT_LAUNCH for a transport
 * that is not there, or as launchClient does; nothing is left then.
 *
 * A line with a fingerprint is one of Tor's: it leads to the entrance of Tor's network, which speaks to tor alone.
 * It is opened like any other, and a request through it fails with what such a server says to a stranger.
 */
export async function openBridge(lines: BridgeLines, options: OpenBridgeOptions = {}): Promise<Bridge> {
  checkOptions('openBridge', options, bridgeChecks)
  const parsed = toBridgeLines(lines)
  options.signal?.throwIfAborted()
  const open = options.open ?? openDialer
  const secrets = parsed.flatMap(({ address, args }) => secretsOf(address, args))
  const { dialer, cleanUp } = await open(
    parsed.map((line) => line.transport),
    { ...options, secrets: [...secrets, ...(options.secrets ?? [])] },
  )
  const bridge = new Bridge(dialer, servedOf(parsed, dialer, options), options, cleanUp)
  if (options.signal?.aborted === true) {
    await bridge.close()
    options.signal.throwIfAborted()
  }
  return bridge
}

function servedOf(lines: readonly BridgeLine[], { failures }: Dialer, options: OpenBridgeOptions): BridgeLine[] {
  return lines.filter((line) => {
    const why = failures?.get(line.transport)
    if (why !== undefined) options.onPassedOver?.(line, why)
    return why === undefined
  })
}

/** Opens one connection and nothing else: openBridge and connect(), closed together. Rejects as both do. */
export async function connectBridge(lines: BridgeLines, options: OpenBridgeOptions = {}): Promise<BridgeConnection> {
  checkOptions('connectBridge', options, bridgeChecks)
  const { signal, ...rest } = options
  const bridge = await openBridge(lines, rest)
  try {
    const conn = await bridge.connect({ signal })
    conn.once('close', () => void bridge.close())
    return conn
  } catch (error) {
    await bridge.close()
    throw error
  }
}

/** Reads bridge lines in each form that openBridge takes. Throws PT_BRIDGE_LINE for a wrong line or an empty list, and PT_OPTION for anything else. */
export function toBridgeLines(lines: BridgeLines): BridgeLine[] {
  checkArgument('openBridge', 'lines', lines, someBridgeLines)
  const list = typeof lines === 'string' || !isList(lines) ? [lines] : lines
  if (list.length === 0) throw new PtError('PT_BRIDGE_LINE', 'there is no bridge line', { stage: 'argument' })
  return list.map((line) => (typeof line === 'string' ? parseBridgeLine(line) : line))
}

function isList(lines: BridgeLines): lines is readonly (string | BridgeLine)[] {
  return Array.isArray(lines)
}

/** A dialer, and the function that ends it and removes its folder. */
export interface OpenDialer {
  readonly dialer: Dialer
  readonly cleanUp: () => Promise<void>
}

/** Opens a dialer for the transports `names`; its `cleanUp` ends it and removes its folder. */
export async function openDialer(names: readonly string[], options: OpenBridgeOptions): Promise<OpenDialer> {
  const folder = new TempFolder()
  const { exec, transports = [], onPtEvent: onEvent } = options
  let door: ProxyDoor | undefined
  const removeRest = async (): Promise<void> => {
    await door?.close()
    await folder.remove()
  }
  try {
    door = await openProxyDoor(options.proxy, (message) => onEvent?.({ type: 'log', severity: 'warning', message }))
    const stateDir = (): string => options.stateDir ?? folder.path
    const given = { ...options, proxy: door.proxy }
    const dialer =
      exec === undefined
        ? await inProcessDialer({ ...given, transports, stateDir }, names)
        : await ptProcessDialer({ ...given, exec, stateDir: stateDir(), onEvent }, names)
    const cleanUp = async (): Promise<void> => {
      await dialer.close()
      await removeRest()
    }
    return { dialer, cleanUp }
  } catch (error) {
    await removeRest()
    throw error
  }
}

/** Makes a signal that aborts with either of two; AbortSignal.any would leave entries behind on Node 20. */
function following(a: AbortSignal, b: AbortSignal): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  const follow = (event: Event): void => controller.abort((event.target as AbortSignal).reason)
  for (const signal of [a, b]) {
    if (signal.aborted) controller.abort(signal.reason)
    signal.addEventListener('abort', follow)
  }
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const signal of [a, b]) signal.removeEventListener('abort', follow)
    },
  }
}
