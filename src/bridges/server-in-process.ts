/**
 * createBridgeServer without a program: the servers of the transports run in this process, and their streams go to the listener.
 *
 *     clients ══ transport ── listener(stream, { transport, userAddr })
 */
import { resolve } from 'node:path'
import { PtError } from '../error.ts'
import { endTogether } from '../io/carry/framed.ts'
import { throwLater } from '../io/wait/throw-later.ts'
import { DEFAULT_BIND_ADDRESS, parseAddress } from '../ipc/index.ts'
import type { ServerTransportInit } from '../parent/index.ts'
import type { Report } from '../transport.ts'
import type { Incoming } from '../sessions/service.ts'
import type { InProcessServer } from './in-process-server.ts'
import { inProcessServer } from './in-process-server.ts'
import type { BridgeListener, BridgeServer, BridgeServerOptions } from './server.ts'

/** Rejects with what the first transport throws if none of them starts, or if one does not and `require` is `all`. */
export async function bridgeServerInProcess(
  options: BridgeServerOptions,
  transports: readonly ServerTransportInit[],
  listener: BridgeListener,
): Promise<BridgeServer> {
  const { signal } = options
  signal?.throwIfAborted()
  if (transports.length === 0) throw new PtError('PT_LAUNCH', 'no transport is named')
  const servers = new Map<string, InProcessServer>()
  const failures = new Map<string, string>()
  const close = async (): Promise<void> => {
    signal?.removeEventListener('abort', abort)
    await Promise.all([...servers.values()].map((server) => server.close()))
  }
  let closed: Promise<void> | undefined
  const closeOnce = (): Promise<void> => (closed ??= close())
  const abort = (): void => void closeOnce()
  for (const init of transports) {
    try {
      servers.set(init.name, await start(options, init, listener))
    } catch (error) {
      failures.set(init.name, (error as Error).message)
      if (options.require !== 'all' && failures.size < transports.length) continue
      await closeOnce()
      throw error
    }
  }
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted === true) {
    await closeOnce()
    signal.throwIfAborted()
  }
  return {
    methods: new Map([...servers].map(([name, { address, args }]) => [name, { address, args }])),
    failures,
    bridgeLines: (publicAddress) => [...servers.values()].map((server) => server.bridgeLine(publicAddress)),
    async drain(ms) {
      for (const server of servers.values()) server.closeListener()
      await Promise.all([...servers.values()].map((server) => server.drain(ms)))
    },
    async stop() {
      await closeOnce()
      return undefined
    },
    [Symbol.asyncDispose]: closeOnce,
  }
}

async function start(
  { implementations = [], stateDir, halfOpen = false, maxConnections, onEvent }: BridgeServerOptions,
  { name, bindAddress = DEFAULT_BIND_ADDRESS, options }: ServerTransportInit,
  listener: BridgeListener,
): Promise<InProcessServer> {
  return await inProcessServer({
    name,
    transports: implementations,
    bindAddress: typeof bindAddress === 'string' ? parseAddress(bindAddress) : bindAddress,
    options,
    stateDir: resolve(stateDir),
    maxConnections,
    halfOpen,
    wantsUserAddr: true,
    log: logTo(onEvent),
    onConnection: (incoming) => handOver(name, incoming, halfOpen, listener),
  })
}

/** Says each log line as an event. What the application throws then is its own, and the connection goes on. */
function logTo(onEvent: BridgeServerOptions['onEvent']): Report['log'] {
  return (severity, message) => {
    try {
      onEvent?.({ type: 'log', severity, message })
    } catch (error) {
      throwLater(error)
    }
  }
}

/** Gives a stream to the application. What it throws goes to the application, as it is no fault of the client. */
function handOver(transport: string, incoming: Incoming, halfOpen: boolean, listener: BridgeListener): void {
  const { stream, conn, userAddr } = incoming
  if (!halfOpen) endTogether(stream)
  // The wire of a stream that the application destroys has to close too, whatever the transport does.
  if (stream !== conn) stream.once('close', () => conn.destroy())
  try {
    listener(stream, { transport, userAddr: userAddr === undefined ? undefined : parseAddress(userAddr) })
  } catch (error) {
    stream.destroy()
    throwLater(error)
  }
}
