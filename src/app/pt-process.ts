/**
 * A PT in a process of its own, shared by all connections that go through it and started again when it ends.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import { readExactly, withDeadline } from '../io/index.ts'
import { throwLater } from '../io/throw-later.ts'
import type { ClientPt, PtEvent, RestartOptions } from '../parent/index.ts'
import { launchClient } from '../parent/index.ts'
import type { BridgeLine } from './bridge-line.ts'
import { inferStage, staged, StageLog } from './dial-stage.ts'
import type { Dialer, DialerEvents, DialerOptions } from './dialer.ts'

export interface PtProcessOptions extends Omit<DialerOptions, 'transports'> {
  readonly exec: string | readonly string[]
  readonly stateDir: string
  /** What the PT says and does, unchecked and with addresses. */
  readonly onEvent?: ((event: PtEvent) => void) | undefined
}

/** A tunnel is to come back whenever it can, so there is no last restart; half a second of health starts the count anew. */
export const tunnelRestart: Required<RestartOptions> = {
  initialDelay: 100,
  maxDelay: 10_000,
  healthyAfter: 500,
  maxRestarts: Number.POSITIVE_INFINITY,
}

/** Rejects as launchClient does; PT_LAUNCH where one of the transports `names` is not there. */
export async function ptProcessDialer(options: PtProcessOptions, names: readonly string[]): Promise<Dialer> {
  const { exec, stateDir, proxy, connectTimeout, secrets, restart = tunnelRestart, onEvent } = options
  const watchers = new Set<DialerEvents>()
  const log = new StageLog()
  let started = false
  const pt = await launchClient({
    exec,
    stateDir,
    transports: [...new Set(names)],
    require: 'all',
    restart,
    ...(proxy === undefined ? {} : { proxy }),
    ...(secrets === undefined ? {} : { secrets }),
    ...(connectTimeout === undefined ? {} : { connectTimeout }),
    onEvent: (event) => {
      log.note(event)
      if (started) tell(watchers, event)
      onEvent?.(event)
    },
  })
  started = true
  const dialling = new Map<string, number>()
  // Once it has been reset, a socket does not know any more where it led.
  const ports = new WeakMap<Duplex, number | undefined>()
  return {
    dial: async (line, signal) => {
      const conn = await dial({ pt, log, dialling, line, proxy: proxy !== undefined }, signal)
      ports.set(conn, (conn as Socket).remotePort)
      return conn
    },
    requireAlive: async (conn) => await requireAlive(pt, ports.get(conn)),
    watch: (events) => {
      watchers.add(events)
      return () => void watchers.delete(events)
    },
    close: async () => void (await pt.stop()),
  }
}

/** Each watcher is told, whatever another one throws. */
function tell(watchers: ReadonlySet<DialerEvents>, event: PtEvent): void {
  for (const watcher of watchers) {
    try {
      if (event.type === 'restarting') watcher.restart(event.error)
      else if (event.type === 'ready') watcher.ready()
      else if (event.type === 'gaveUp') watcher.gaveUp(event.error)
    } catch (error) {
      throwLater(error)
    }
  }
}

interface Dial {
  readonly pt: ClientPt
  readonly log: StageLog
  /** How many connections are being made, by transport. */
  readonly dialling: Map<string, number>
  readonly line: BridgeLine
  readonly proxy: boolean
}

/** How often a connection is asked for anew when the PT ended while it was made. */
const ATTEMPTS = 3

async function dial(dial: Dial, signal: AbortSignal | undefined): Promise<Duplex> {
  const { pt, line, dialling } = dial
  const { transport, address, args } = line
  const count = (by: number): void => void dialling.set(transport, (dialling.get(transport) ?? 0) + by)
  count(1)
  try {
    for (let attempt = 1; ; attempt++) {
      const start = Date.now()
      try {
        return await pt.connect(transport, address, { args, ...(signal === undefined ? {} : { signal }) })
      } catch (error) {
        signal?.throwIfAborted()
        // Cut off without an answer, while the bridge has not got a byte of the application's: nothing is lost by another.
        if ((error as PtError).code === 'PT_CLOSED' && attempt < ATTEMPTS) continue
        throw explained(error, dial, start)
      }
    }
  } finally {
    count(-1)
  }
}

function explained(error: unknown, { log, dialling, line, proxy }: Dial, start: number): PtError {
  const said = log.since(start, line, dialling.get(line.transport) === 1)
  return staged(error, line.transport, said ?? inferStage(error, line, Date.now() - start, proxy))
}

/** A PT that takes longer to answer is as good as dead, in ms. */
const PROBE_TIMEOUT = 10_000

/** SOCKS 5, one method, none; whatever is answered, somebody lives who answers. */
const GREETING = Uint8Array.of(5, 1, 0)

/**
 * The system closes the sockets of a process that is killed as if it had finished, and half a download then looks whole.
 * Its SOCKS port tells; but not by accepting, which the system does until it comes to close that socket as well.
 */
async function requireAlive(pt: ClientPt, port: number | undefined): Promise<void> {
  const method = [...pt.methods.values()].find(({ address }) => address.port === port)
  // One that has been started again listens elsewhere.
  if (method === undefined) throw ended()
  const probe = connectTcp(method.address)
  try {
    await withDeadline(PROBE_TIMEOUT, 'the answer of the PT', undefined, async (signal) => {
      await once(probe, 'connect', { signal })
      // There is nothing that SOCKS 4 answers before it connects somewhere.
      if (method.protocol === 'socks4') return
      probe.write(GREETING)
      await readExactly(probe, 2, signal)
    })
  } catch (cause) {
    throw ended(cause)
  } finally {
    probe.on('error', () => undefined).destroy()
  }
}

function ended(cause?: unknown): PtError {
  return new PtError('PT_EXITED', 'the PT ended while it carried a connection', { cause, stage: 'closed' })
}
