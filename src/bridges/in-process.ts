/**
 * A built-in transport without a sub-process: its client is given what a PT would give it.
 */
import type { Duplex } from 'node:stream'
import { PtError, stageOf } from '../error.ts'
import { deadline, endTogether, orAborted } from '../io/index.ts'
import { parseProxyUri, redact, scrubAddresses, secretsOf } from '../ipc/index.ts'
import type { Client, Connect } from '../transport.ts'
import { makeConnect } from '../upstream/index.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'
import { failedAt, staged } from './dial-stage.ts'
import type { Dialer, DialerOptions, TransportSource } from './dialer.ts'
import { socketLike } from './socket-like.ts'

export interface InProcessOptions extends Pick<DialerOptions, 'proxy' | 'connectTimeout' | 'halfOpen' | 'require'> {
  readonly transports: readonly TransportSource[]
  /** Called by transports that keep something. */
  readonly stateDir: () => string
}

/** Throws PT_PROXY_URI. `names` are the transports that will be asked for: PT_LAUNCH where one is not there. */
export async function inProcessDialer(options: InProcessOptions, names: readonly string[]): Promise<Dialer> {
  const proxy = options.proxy === undefined ? undefined : parseProxyUri(options.proxy)
  const connect = makeConnect({ proxy })
  const clients = new Map<string, Client>()
  const failures = new Map<string, string>()
  for (const name of new Set(names)) {
    try {
      clients.set(name, await launch(name, options))
    } catch (error) {
      if (options.require !== 'any' || failures.size + 1 === new Set(names).size) throw error
      failures.set(name, (error as Error).message)
    }
  }
  return {
    failures,
    dial: (line, signal) => dial({ client: clients.get(line.transport)!, line, connect, options, signal }),
    requireAlive: () => Promise.resolve(),
    watch: () => () => {},
    close: () => Promise.resolve(),
  }
}

async function launch(name: string, { transports, stateDir }: InProcessOptions): Promise<Client> {
  const source = transports.find((candidate) => candidate.name === name)
  if (source === undefined) {
    const names = transports.map((transport) => transport.name).join(', ') || 'none'
    const hint = `built-in are: ${names}; for others, exec names a program that has them`
    throw new PtError('PT_LAUNCH', `there is no built-in transport ${name}; ${hint}`, { stage: 'argument' })
  }
  const transport = 'load' in source ? await source.load() : source
  const options = {
    get stateDir() {
      return stateDir()
    },
    ...silent,
  }
  return await transport.client(options)
}

/** A library prints nothing; what fails is in the errors. */
const silent = { log: () => {}, status: () => {} }

interface Dial {
  readonly client: Client
  readonly line: BridgeLine
  readonly connect: Connect
  readonly options: InProcessOptions
  readonly signal: AbortSignal | undefined
}

async function dial({ client, line, connect, options, signal: parent }: Dial): Promise<Duplex> {
  const { transport, address, args } = line
  const opened: Duplex[] = []
  const tracked: Connect = async (target, signal) => {
    const conn = await connect(target, signal)
    opened.push(conn)
    return conn
  }
  const limit = deadline(options.connectTimeout ?? 60_000, 'the connection to the bridge', parent)
  const { signal } = limit
  try {
    const conn = await inTime(client.dial({ target: address, args, connect: tracked, signal, ...silent }), signal)
    // The session's signal lives until the connection has ended.
    conn.once('close', () => limit.abort(new PtError('PT_CLOSED', 'the connection has ended')))
    if (options.halfOpen !== true) endTogether(conn)
    return socketLike(conn, opened)
  } catch (error) {
    limit.abort(error as Error)
    for (const conn of opened) conn.destroy()
    parent?.throwIfAborted()
    const stage = stageOf(error)
    // Our own deadline says that time was up, and not before what.
    if (stage === undefined) throw staged(error, transport, stage)
    throw failedAt(
      stage === 'timeout' && opened.length === 0 ? 'connect' : stage,
      transport,
      error,
      messageOf(error, line),
    )
  } finally {
    limit[Symbol.dispose]()
  }
}

/** Our transports' messages hold no address; of another's, and of the system's, nobody knows. */
function messageOf(error: unknown, { address, args }: BridgeLine): string {
  const text = error instanceof Error ? error.message : String(error)
  return scrubAddresses(redact(text, secretsOf(address, args)))
}

/** A transport that does not heed the signal keeps nobody waiting, and what it brings too late is closed. */
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
