/**
 * A PT in a process of its own, shared by all connections that go through it and started again when it ends.
 */
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../error.ts'
import { connectionFailure } from '../failure.ts'
import { throwLater } from '../io/wait/throw-later.ts'
import type { ClientPt, PtEvent, RestartOptions } from '../parent/index.ts'
import { guessStage, launchClient } from '../parent/index.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'
import { formatBridgeLine } from '../lines/bridge-line.ts'
import { lintBridgeLine } from '../lines/lint.ts'
import type { Dialer, DialerEvents, DialerOptions } from './dialer.ts'

export interface PtProcessOptions extends Omit<DialerOptions, 'transports'> {
  readonly exec: string | readonly string[]
  readonly stateDir: string
  /** Told of what the PT says and does. The texts are unchecked, and may hold addresses. */
  readonly onEvent?: ((event: PtEvent) => void) | undefined
}

/** A tunnel is to come back whenever it can, so no restart is the last one; after half a second of health the count starts again. */
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
      if (started) tell(watchers, event)
      onEvent?.(event)
    },
  })
  started = true
  const missing = transports.filter((name) => !pt.methods.has(name))
  return {
    failures: new Map(missing.map((name) => [name, pt.failures.get(name) ?? 'the program does not have it'])),
    dial: (line, signal) => dial(pt, line, proxy !== undefined, signal),
    inProcess: false,
    requireAlive: (conn) => pt.requireAlive(conn),
    watch: (events) => {
      watchers.add(events)
      return () => void watchers.delete(events)
    },
    close: async () => void (await pt.stop()),
  }
}

/** Tells every watcher, whatever another one throws. */
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

/** How often a connection is asked for again if the PT ended while it was made. */
const ATTEMPTS = 3

/** A connection to the bridge of `line`. Rejects with a PtError whose `stage` says where it failed, or with the signal's reason. */
async function dial(
  pt: ClientPt,
  line: BridgeLine,
  viaProxy: boolean,
  signal: AbortSignal | undefined,
): Promise<Duplex> {
  const { transport, address, args } = line
  for (let attempt = 1; ; attempt++) {
    const start = Date.now()
    try {
      return await pt.connect(transport, address, { args, ...(signal === undefined ? {} : { signal }) })
    } catch (error) {
      signal?.throwIfAborted()
      // The PT cut the connection off without an answer, and the bridge has not got a byte of the application's: another try loses nothing.
      if ((error as PtError).code === 'PT_CLOSED' && attempt < ATTEMPTS) continue
      throw withStage(error, line, Date.now() - start, viaProxy)
    }
  }
}

/** The error with its stage: the one that the PT said, or else a guess. The message repeats nothing of the bridge. */
function withStage(error: unknown, line: BridgeLine, waited: number, viaProxy: boolean): PtError {
  const { transport } = line
  if (!isPtError(error)) return connectionFailure(guessStage(error, waited, viaProxy), transport, { cause: error })
  if (error.stage !== undefined) return error
  // The parent's own limit says that time was up, and not before what.
  if (error.code === 'PT_TIMEOUT') return connectionFailure('timeout', transport, { cause: error })
  const isRefusal = error.code === 'PT_SOCKS_REFUSED'
  const stage = isRefusal && hasFaultyArgument(line) ? 'argument' : guessStage(error, waited, viaProxy)
  if (stage === undefined) return error
  const { code, message, reply, reported } = error
  const rest = { ...(reply === undefined ? {} : { reply }), ...(reported === undefined ? {} : { reported }) }
  return new PtError(code, message, { cause: error, stage, ...rest })
}

/** Fields of a line that are no arguments. */
const notArguments: ReadonlySet<string> = new Set(['address', 'transport', 'fingerprint'])

/** Whether the transport cannot use an argument of the line, as far as that is known here. */
function hasFaultyArgument(line: BridgeLine): boolean {
  const findings = lintBridgeLine(formatBridgeLine(line))
  return findings.some(({ severity, field }) => severity === 'error' && !notArguments.has(field))
}
