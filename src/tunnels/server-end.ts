/**
 * The two things that the server of a tunnel can run on: the process of a PT, or a transport in this process. Both give streams of
 * clients, and both end in the same order (docs/decisions/0044-drain.md).
 *
 *     a PT             clients ══ transport ══ PT ── Extended ORPort ── stream
 *     in this process  clients ══ transport ── stream
 */
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { carry } from '../io/carry/carry.ts'
import { endTogether } from '../io/carry/framed.ts'
import { closeWithReset } from '../io/tcp/close.ts'
import { listen } from '../io/tcp/listen.ts'
import type { Cancellation } from '../io/wait/cancellation.ts'
import { delay } from '../io/wait/deadline.ts'
import type { Address } from '../ipc/index.ts'
import type { PtEvent } from '../parent/index.ts'
import { inProcessServer } from '../bridges/in-process-server.ts'
import { tunnelRestart } from '../bridges/pt-process.ts'
import { createBridgeServer } from '../bridges/server.ts'
import type { TunnelServerOptions } from './server.ts'

/** A stream of a client, whose handshake is over. */
export interface ServerStream {
  readonly stream: Duplex
  /** The connection that is counted; `stream` and `far` end with it. */
  readonly conn: Duplex
  /** Aborts when the connection is of no use any more. */
  readonly signal: AbortSignal
  /** The same signal in a cheaper form. */
  readonly cancellation: Cancellation
  /** Carries bytes between `far` and the stream until both are closed. */
  carryTo(far: Duplex): Promise<unknown>
  /** Ends the stream because its destination cannot be reached. */
  cutOff(): void
}

export interface ServerEnd {
  /** A line to hand out; see BridgeServer. */
  bridgeLine(publicAddress?: string): string
  /**
   * Closes the port, calls `released` as soon as another program could listen there, and resolves when connections and handshakes
   * have ended; after `ms` milliseconds the rest is cut.
   */
  drain(ms: number, released: () => void): Promise<void>
  /** Ends everything now. */
  stop(): Promise<void>
}

export interface ServerEndEvents {
  /** Aborts when the tunnel has ended. */
  readonly stopping: AbortSignal
  readonly onStream: (stream: ServerStream) => Promise<void>
  readonly onEvent: (event: PtEvent) => void
}

type Options = Omit<TunnelServerOptions, 'listen'> & { readonly listen: Address }

/** Starts the server. Rejects as createBridgeServer does, or with what the transport throws. */
export async function openServerEnd(options: Options, events: ServerEndEvents): Promise<ServerEnd> {
  const { exec } = options
  return exec === undefined ? await endInProcess(options, events) : await endOfPt({ ...options, exec }, events)
}

async function endInProcess(options: Options, { onStream, onEvent }: ServerEndEvents): Promise<ServerEnd> {
  const { transport, transports = [], listen: bindAddress, stateDir, maxConnections, halfOpen = false } = options
  const server = await inProcessServer({
    name: transport,
    transports,
    bindAddress,
    stateDir,
    options: options.options,
    maxConnections,
    halfOpen,
    log: (severity, message) => onEvent({ type: 'log', severity, message }),
    onConnection: (incoming) => {
      // A SOCKS server that refuses ends the stream, and its connection must not stay half-open.
      if (!halfOpen) endTogether(incoming.stream)
      return onStream({
        stream: incoming.stream,
        conn: incoming.conn,
        cancellation: incoming.signal.cancellation,
        get signal() {
          return incoming.signal.session({}).signal
        },
        carryTo: (far) => incoming.carryTo(far, halfOpen),
        // As a PT does: an observer sees the same end, whatever the destination said.
        cutOff: () => {
          incoming.stream.destroy()
          incoming.conn.destroy()
        },
      })
    },
  })
  return {
    bridgeLine: (publicAddress) => server.bridgeLine(publicAddress),
    async drain(ms, released) {
      server.closeListener()
      released()
      await server.drain(ms)
    },
    stop: () => server.close(),
  }
}

/** How often a port that is being closed is tried, in ms. */
const LOOK_AGAIN = 10

/**
 * How long obfs4proxy or lyrebird may take to close its port before it is asked again, in ms. They wait for signals at a Go channel
 * without a buffer, and a signal that comes while they count a connection is lost. Once they have closed the port, another SIGINT
 * would end them at once, so it is sent only if the port is still taken.
 */
const ASK_AGAIN = 1_000

type PtOptions = Options & { readonly exec: string | readonly string[] }

async function endOfPt(options: PtOptions, { stopping, onStream, onEvent }: ServerEndEvents): Promise<ServerEnd> {
  const { exec, transport, listen: bindAddress, stateDir, halfOpen } = options
  /** The name of the program, if it closes its port and lets connections go on when it is asked to. */
  let drainer: string | undefined
  const server = await createBridgeServer(
    {
      exec,
      stateDir,
      restart: tunnelRestart,
      transports: [
        { name: transport, bindAddress, ...(options.options === undefined ? {} : { options: options.options }) },
      ],
      onEvent: (event) => {
        drainer ??= drainerOf(event)
        onEvent(event)
      },
    },
    (conn) =>
      void onStream({
        stream: conn,
        conn,
        signal: stopping,
        cancellation: stopping,
        carryTo: (far) => carry(conn, far, { halfOpen }),
        // With a reset: an end would look as if the service had nothing to say.
        cutOff: () => closeWithReset(conn),
      }),
  )
  return {
    bridgeLine: (publicAddress) => server.bridgeLines(publicAddress)[0]!,
    async drain(ms, released) {
      if (drainer === undefined) return
      const drained = server.drain(ms)
      const address = server.methods.values().next().value?.address ?? bindAddress
      const askAgain = drainer === 'postern' ? undefined : (): void => void server.drain(0)
      if (await closesPort(address, ms, askAgain)) released()
      await drained
    },
    stop: async () => void (await server.stop()),
  }
}

/** Programs that are known to close their port at SIGINT; others end at once. */
const drainers: ReadonlySet<string> = new Set(['postern', 'lyrebird'])

/** The name of a program that takes SIGINT so. A PT says its name (STATUS TYPE=version), except for obfs4proxy. */
function drainerOf(event: PtEvent): string | undefined {
  if (event.type === 'launching') return /(?:^|[\\/])(obfs4proxy)(?:\.exe)?$/.exec(event.program)?.[1]
  if (event.type !== 'status' || event.args.get('TYPE') !== 'version') return undefined
  const name = event.args.get('IMPLEMENTATION') ?? ''
  return drainers.has(name) ? name : undefined
}

/** True once another program could listen on the port of a PT, which has been asked to close it; false after `ms` milliseconds. */
async function closesPort(address: Address, ms: number, askAgain: (() => void) | undefined): Promise<boolean> {
  const start = performance.now()
  let asked = start
  while (!(await canListen(address))) {
    const now = performance.now()
    if (now - start >= ms) return false
    if (askAgain !== undefined && now - asked >= ASK_AGAIN) {
      askAgain()
      asked = now
    }
    await delay(LOOK_AGAIN)
  }
  return true
}

async function canListen({ host, port }: Address): Promise<boolean> {
  const server = createServer()
  try {
    await listen(server, host, port)
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
