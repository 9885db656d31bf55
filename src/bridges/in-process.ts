/**
 * A transport in this process, without a PT: its client is given the same things as in a PT.
 */
import type { Duplex } from 'node:stream'
import { messageOf, PtError } from '../error.ts'
import { connectionFailure, stageOf } from '../failure.ts'
import { deadline, orAborted } from '../io/wait/deadline.ts'
import { endTogether } from '../io/carry/framed.ts'
import { parseProxyUri, redact, scrubAddresses, secretsOf } from '../ipc/index.ts'
import { requireArguments } from '../sessions/arguments.ts'
import { closeEnd } from '../sessions/close.ts'
import type { Opened } from '../sessions/opened.ts'
import { trackOpened } from '../sessions/opened.ts'
import type { Client, Connect, OpenDatagrams, Transport } from '../transport.ts'
import { makeConnect, makeDatagrams } from '../upstream/index.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'
import type { Dialer, DialerOptions, TransportSource } from './dialer.ts'
import { socketLike } from './socket-like.ts'

export interface InProcessOptions extends Pick<DialerOptions, 'proxy' | 'connectTimeout' | 'halfOpen' | 'require'> {
  readonly transports: readonly TransportSource[]
  /** Gives the folder for state. It is asked only by transports that keep something. */
  readonly stateDir: () => string
}

/** Throws PT_PROXY_URI. `names` are the transports that will be asked for: PT_LAUNCH if one of them is not there. */
export async function inProcessDialer(options: InProcessOptions, names: readonly string[]): Promise<Dialer> {
  const proxy = options.proxy === undefined ? undefined : parseProxyUri(options.proxy)
  const [connect, datagrams] = [makeConnect({ proxy }), makeDatagrams({ proxy })]
  const clients = new Map<string, Launched>()
  const failures = new Map<string, string>()
  for (const name of new Set(names)) {
    try {
      clients.set(name, await launch(name, connect, options))
    } catch (error) {
      if (options.require !== 'any' || failures.size + 1 === new Set(names).size) {
        await closeAll(clients.values())
        throw error
      }
      failures.set(name, (error as Error).message)
    }
  }
  return {
    failures,
    dial: (line, signal) => dial({ ...clients.get(line.transport)!, line, connect, datagrams, options, signal }),
    requireAlive: () => Promise.resolve(),
    watch: () => () => {},
    close: () => closeAll(clients.values()),
  }
}

interface Launched {
  readonly transport: Transport
  readonly client: Client
  /** The connections that belong to no single dial. */
  readonly opened: Opened
}

async function closeAll(all: Iterable<Launched>): Promise<void> {
  await Promise.all(
    [...all].map(async ({ client, opened }) => {
      await closeEnd(client, silent)
      opened.destroyAll()
    }),
  )
}

async function launch(name: string, connect: Connect, { transports, stateDir }: InProcessOptions): Promise<Launched> {
  const source = transports.find((candidate) => candidate.name === name)
  if (source === undefined) {
    const names = transports.map((transport) => transport.name).join(', ') || 'none'
    const hint = `built-in are: ${names}; for others, exec names a program that has them`
    throw new PtError('PT_LAUNCH', `there is no built-in transport ${name}; ${hint}`, { stage: 'argument' })
  }
  const transport = 'load' in source ? await source.load() : source
  const opened = trackOpened(connect)
  const options = {
    get stateDir() {
      return stateDir()
    },
    connect: opened.connect,
    ...silent,
  }
  return { transport, client: await transport.client(options), opened }
}

/** A library prints nothing; what fails is in the errors. */
const silent = { log: () => {}, status: () => {} }

interface Dial extends Launched {
  readonly line: BridgeLine
  readonly connect: Connect
  readonly datagrams: OpenDatagrams
  readonly options: InProcessOptions
  readonly signal: AbortSignal | undefined
}

async function dial({ transport, client, line, connect, datagrams, options, signal: parent }: Dial): Promise<Duplex> {
  const { transport: name, address, args } = line
  const opened: Duplex[] = []
  const tracked: Connect = async (target, signal) => {
    const conn = await connect(target, signal)
    forgetClosed(opened)
    opened.push(conn)
    return conn
  }
  const limit = deadline(options.connectTimeout ?? 60_000, 'the connection to the bridge', parent)
  const { signal } = limit
  try {
    requireArguments(transport, args, 'client')
    const session = { target: address, args, connect: tracked, datagrams, signal, ...silent }
    const conn = await inTime(client.dial(session), signal)
    // The session's signal lives until the connection has ended.
    conn.once('close', () => limit.abort(new PtError('PT_CLOSED', 'the connection has ended')))
    if (options.halfOpen !== true) endTogether(conn)
    return socketLike(conn, opened)
  } catch (error) {
    const limitReached: unknown = signal.aborted ? signal.reason : undefined
    limit.abort(error as Error)
    for (const conn of opened) conn.destroy()
    parent?.throwIfAborted()
    // Our own limit says that time was up, and not before what.
    if (error === limitReached)
      throw connectionFailure(opened.length === 0 ? 'connect' : 'timeout', name, { cause: error })
    throw connectionFailure(stageOf(error), name, { cause: error, reported: accountOf(error, line) })
  } finally {
    limit[Symbol.dispose]()
  }
}

/** A transport that polls opens many connections, and most of them have closed. socketLike() looks into the same array. */
function forgetClosed(opened: Duplex[]): void {
  if (opened.length < 8) return
  opened.splice(0, opened.length, ...opened.filter((conn) => !conn.destroyed))
}

/** The words of the transport. Those of our transports hold no address; a third party's, and the system's, may. */
function accountOf(error: unknown, { address, args }: BridgeLine): string {
  return scrubAddresses(redact(messageOf(error), secretsOf(address, args)))
}

/** A transport that ignores the signal does not keep the caller waiting, and a stream that comes too late is closed. */
async function inTime(dialling: Promise<Duplex>, signal: AbortSignal): Promise<Duplex> {
  try {
    return await orAborted(dialling, signal)
  } catch (error) {
    dialling.then(
      (late) => late.destroy(),
      () => undefined,
    )
    throw error
  }
}
