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
import { ParkedDials } from '../sessions/parked.ts'
import { Rehearsals } from '../sessions/rehearsal.ts'
import { silentReport } from '../sessions/silent-report.ts'
import type { Client, Connect, OpenDatagrams, Transport } from '../transport.ts'
import { makeConnect, makeDatagrams } from '../upstream/index.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'
import type { Dialer, DialerOptions, TransportSource } from './dialer.ts'
import { loadSource } from './dialer.ts'
import { ownPorts } from './own-ports.ts'
import { socketLike } from './socket-like.ts'

/** A backstop for a dial that goes on by itself: transports have limits of their own. */
const PARKED_TIMEOUT = 100_000

export interface InProcessOptions extends Pick<
  DialerOptions,
  'proxy' | 'connectTimeout' | 'halfOpen' | 'likePt' | 'require'
> {
  readonly transports: readonly TransportSource[]
  /** Gives the folder for state. It is asked only by transports that keep something. */
  readonly stateDir: () => string
}

/** Throws PT_PROXY_URI. `names` are the transports that will be asked for: PT_LAUNCH if one of them is not there. */
export async function inProcessDialer(options: InProcessOptions, names: readonly string[]): Promise<Dialer> {
  const proxy = options.proxy === undefined ? undefined : parseProxyUri(options.proxy)
  const connect =
    options.likePt === true ? ownPorts().descriptors.counting(makeConnect({ proxy })) : makeConnect({ proxy })
  const datagrams = makeDatagrams({ proxy })
  const parked = new ParkedDials()
  const rehearsals = new Rehearsals()
  const clients = new Map<string, Launched>()
  const failures = new Map<string, string>()
  const wanted = new Set(names)
  for (const name of wanted) {
    try {
      clients.set(name, await launch(name, connect, options))
    } catch (error) {
      if (options.require !== 'any' || failures.size + 1 === wanted.size) {
        await closeAll(clients.values())
        throw error
      }
      failures.set(name, (error as Error).message)
    }
  }
  if (options.likePt === true) {
    for (const { transport } of clients.values()) rehearsals.addDialer(transport)
    setImmediate(() => void rehearsals.run())
  }
  return {
    failures,
    inProcess: true,
    dial: (line, signal) => {
      rehearsals.stop()
      return dial({ ...clients.get(line.transport)!, line, connect, datagrams, options, parked, signal })
    },
    requireAlive: () => Promise.resolve(),
    watch: () => () => {},
    close: async () => {
      rehearsals.stop()
      parked.end()
      await closeAll(clients.values())
    },
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
      await closeEnd(client, silentReport)
      opened.destroyAll()
    }),
  )
}

async function launch(name: string, connect: Connect, { transports, stateDir }: InProcessOptions): Promise<Launched> {
  const transport = await loadSource(name, transports)
  const opened = trackOpened(connect)
  const options = {
    get stateDir() {
      return stateDir()
    },
    connect: opened.connect,
    // A library prints nothing; what fails is in the errors.
    ...silentReport,
  }
  return { transport, client: await transport.client(options), opened }
}

interface Dial extends Launched {
  readonly line: BridgeLine
  readonly connect: Connect
  readonly datagrams: OpenDatagrams
  readonly options: InProcessOptions
  readonly parked: ParkedDials
  readonly signal: AbortSignal | undefined
}

async function dial(given: Dial): Promise<Duplex> {
  const { transport, client, line, datagrams, options, parked, signal: parent } = given
  const { transport: name, address: target, args } = line
  const wires = trackWires(given.connect)
  const limit = deadline(options.connectTimeout ?? 60_000, 'the connection to the bridge', parent)
  const outlasts = options.likePt === true && client.outlastsParent === true
  const outlasting = outlasts ? parked.dial(PARKED_TIMEOUT, wires) : undefined
  const session = { target, args, connect: wires.connect, datagrams, ...silentReport }
  try {
    requireArguments(transport, args, 'client')
    const dialling =
      outlasting?.run(session, (own) => client.dial(own)) ??
      client.dial({ ...session, signal: limit.signal, cancellation: limit.cancellation })
    const conn = await inTime(dialling, limit.signal)
    outlasting?.follow(limit.cancellation)
    // The session's signal lives until the connection has ended.
    conn.once('close', () => limit.abort(new PtError('PT_CLOSED', 'the connection has ended')))
    if (options.halfOpen !== true) endTogether(conn)
    return socketLike(conn, wires.open)
  } catch (error) {
    const limitReached: unknown = limit.signal.aborted ? limit.signal.reason : undefined
    if (outlasting !== undefined && limitReached !== undefined) outlasting.park()
    else wires.destroyAll()
    limit.abort(error as Error)
    parent?.throwIfAborted()
    // Our own limit says that time was up, and not before what.
    if (error === limitReached) throw connectionFailure(wires.connected ? 'timeout' : 'connect', name, { cause: error })
    throw connectionFailure(stageOf(error), name, { cause: error, reported: accountOf(error, line) })
  } finally {
    limit[Symbol.dispose]()
  }
}

/** The connections that one dial has opened, and the list of those that are open. */
interface Wires extends Opened {
  readonly open: readonly Duplex[]
}

function trackWires(connect: Connect): Wires {
  const open: Duplex[] = []
  const opened = trackOpened(async (target, signal) => {
    const conn = await connect(target, signal)
    forgetClosed(open)
    open.push(conn)
    return conn
  })
  return {
    open,
    connect: opened.connect,
    get connected() {
      return opened.connected
    },
    destroyAll: () => opened.destroyAll(),
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
