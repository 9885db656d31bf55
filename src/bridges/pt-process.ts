/**
 * A PT in a process of its own, shared by all connections that go through it and started again when it ends.
 */
import type { Duplex } from 'node:stream'
import type { PtError } from '../error.ts'
import { isPtError } from '../error.ts'
import { throwLater } from '../io/wait/throw-later.ts'
import type { ClientPt, PtEvent, RestartOptions } from '../parent/index.ts'
import { launchClient } from '../parent/index.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'
import { failedAt, inferStage, staged, StageLog } from './dial-stage.ts'
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

/** Rejects as launchClient does; PT_LAUNCH if one of the transports `names` is not there, or with `require: 'any'` if none is. */
export async function ptProcessDialer(options: PtProcessOptions, names: readonly string[]): Promise<Dialer> {
  const { exec, stateDir, proxy, connectTimeout, secrets, restart = tunnelRestart, onEvent } = options
  const transports = [...new Set(names)]
  const watchers = new Set<DialerEvents>()
  const log = new StageLog()
  let started = false
  const pt = await launchClient({
    exec,
    stateDir,
    transports,
    require: options.require ?? 'all',
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
  const missing = transports.filter((name) => !pt.methods.has(name))
  const dialling = new Map<string, number>()
  return {
    failures: new Map(missing.map((name) => [name, pt.failures.get(name) ?? 'the program does not have it'])),
    dial: (line, signal) => dial({ pt, log, dialling, line, proxy: proxy !== undefined }, signal),
    requireAlive: (conn) => pt.requireAlive(conn),
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
  const { transport } = line
  const told = log.since(start, line, dialling.get(transport) === 1)
  const reported = isPtError(error) ? error.reported?.replace(/^.*?\bERRSTR=/, '') : undefined
  if (told !== undefined && isPtError(error, 'PT_SOCKS_REFUSED', 'PT_CLOSED', 'PT_TIMEOUT')) {
    return failedAt(told, transport, error, reported)
  }
  if (isPtError(error, 'PT_TIMEOUT')) return failedAt('timeout', transport, error, error.message)
  return staged(error, transport, inferStage(error, line, Date.now() - start, proxy))
}
