/**
 * The process of a PT: the only file below cli/ that touches environment, standard streams, signals and exit.
 * Sections "Workflow" and "Pluggable Transport Shutdown"; docs/pt.md describes it for operators.
 *
 *     VERSION ── environment ── PROXY ── load ── launch ── …METHODS DONE ── relay ── stop ── drain ── exit 0
 *        └──────────── *-ERROR ──────────┴── exit 1
 */
import { isPtError, messageOf } from '../error.ts'
import type { Severity } from '../ipc/index.ts'
import { formatMessage } from '../ipc/index.ts'
import { checkOptions } from '../options.ts'
import type { Connections } from '../sessions/connections.ts'
import { createConnections } from '../sessions/connections.ts'
import type { ConnectionLimits } from '../sessions/ports.ts'
import { Ports } from '../sessions/ports.ts'
import { Rehearsals } from '../sessions/rehearsal.ts'
import type { Replays } from '../transport.ts'
import { makeConnect, makeDatagrams } from '../upstream/index.ts'
import { startClient } from './client.ts'
import type { Launched } from './launch.ts'
import type { LineOutput } from './line-output.ts'
import { openLineOutput } from './line-output.ts'
import type { Configuration, Implementation } from './negotiate.ts'
import { configure, negotiateVersion, sayFatal } from './negotiate.ts'
import { ptChecks } from './option-checks.ts'
import { parentIsAlive } from './parent-process.ts'
import { redirect } from './redirect.ts'
import type { Registry, TransportEntry } from './registry.ts'
import { registry } from './registry.ts'
import type { Reporter } from './report.ts'
import { createReporter } from './report.ts'
import { scrubAddresses } from './scrub.ts'
import { startServer } from './server.ts'
import type { StopReason, StopRequest } from './shutdown.ts'
import { watchForStop } from './shutdown.ts'

/** The options of runPt. */
export interface PtOptions extends ConnectionLimits {
  /**
   * What this PT can run. A function is called when the environment has been found good; if it fails, ENV-ERROR tells the
   * parent.
   */
  readonly transports: readonly TransportEntry[] | (() => Promise<readonly TransportEntry[]>)
  /** For `STATUS TYPE=version`, which is left out without it. */
  readonly implementation?: Implementation
  /** The word in CMETHOD; SOCKS 4, 4a and 5 are served in any case. Default 5. */
  readonly socksVersion?: 4 | 5
  /**
   * The end of one direction leaves the other open, which neither obfs4proxy nor lyrebird does: for a PT whose other end is
   * ours and does so as well. By default the first end closes both.
   */
  readonly halfOpen?: boolean
  /** Shows addresses in LOG, STATUS and on stderr. Secrets never appear. */
  readonly unsafeLogging?: boolean
  /** LOG lines below it are left out. Default: notice. */
  readonly logLevel?: Severity
  /** This is called when all transports are launched and METHODS DONE is said: for work that no parent has to wait for. */
  readonly onLaunched?: () => void
  /** How long connections may go on after the PT was told to stop, in ms. Default 1,000. */
  readonly drainTimeout?: number
  /** How long they may go on after SIGINT, which tells the PT to accept no more, in ms. Default 3,600,000. */
  readonly interruptTimeout?: number
  /** Limits in ms: a transport's launch (60,000), a SOCKS request (10,000), a dial (100,000), a server's handshake (180,000). */
  readonly launchTimeout?: number
  readonly socksTimeout?: number
  readonly dialTimeout?: number
  readonly acceptTimeout?: number
  /** How long a session that a server's transport has delivered may carry nothing, in ms. Default 7,200,000. */
  readonly sessionIdleTimeout?: number
  /**
   * The table of handshakes that a server's transport has seen, by the name of the transport: for several processes or machines
   * that serve the same bridge. An answer that fails, or takes longer than 5 s, counts as "seen". Default one in memory.
   */
  readonly replays?: (transport: string) => Replays
}

/** Exit statuses: after a graceful stop, and after a *-ERROR line or an uncaught exception. */
const STOPPED = 0
const FAILED = 1

const DRAIN_TIMEOUT = 1_000
const INTERRUPT_TIMEOUT = 3_600_000
/** What waits in stdout's queue when the process ends gets this long, in ms. */
const FLUSH_TIMEOUT = 300

interface Pt {
  readonly options: PtOptions
  readonly reporter: Reporter
  readonly stdout: LineOutput
  readonly stderr: LineOutput
  readonly rehearsals: Rehearsals
}

/**
 * Runs this process as a PT until its parent ends it; then the process exits. Throws PT_OPTION, or PT_NAME if
 * two of `transports` have one name, and has not said anything yet.
 */
export async function runPt(options: PtOptions): Promise<never> {
  checkOptions('runPt', options, ptChecks)
  const known = typeof options.transports === 'function' ? options.transports : registry(options.transports)
  const pt = takeOver(options)
  let starting = true
  const stop = watch(() => parentIsAlive(starting && pt.stdout.unread))
  let afterVersion = false
  const connections = createConnections()
  let launched: Promise<Launched[]>
  try {
    negotiateVersion(process.env, pt.reporter, options.implementation)
    afterVersion = true
    if (!parentIsAlive(pt.stdout.unread)) return await exitOrphaned(pt)
    const configuration = configure(process.env, pt.reporter)
    if (configuration.env.exitOnStdinClose) stop.watchStdin(process.stdin)
    const transports = typeof known === 'function' ? registry(await known()) : known
    const ports = new Ports(connections, pt.reporter, options)
    launched = launch(pt, configuration, transports, ports).then((ends) => {
      stop.look()
      starting = false
      return ends
    })
  } catch (error) {
    return await fail(pt, error, afterVersion)
  }
  return await untilStopped(pt, stop, launched, connections)
}

async function untilStopped(
  pt: Pt,
  stop: StopRequest,
  launched: Promise<Launched[]>,
  connections: Connections,
): Promise<never> {
  const ready = launched.then((ends) => {
    pt.stdout.release()
    pt.options.onLaunched?.()
    // After what onLaunched may have put off to then.
    setImmediate(() => void pt.rehearsals.run())
    return ends
  })
  const reason = await Promise.race([stop.first, nothingIn(ready)])
  if (reason === 'nothing') {
    pt.reporter.lastWords('no transport was launched, so this process ends')
    return await exit(pt, FAILED)
  }
  // Before anything else, so that no connection is accepted that would be cut. A launch that hangs is not waited for.
  const ends = ready.then((all) => {
    for (const { listener } of all) listener.close()
    return all
  })
  await Promise.race([drain(pt, stop, connections, reason), stop.hurry])
  // The connections that are left are told, and so are the transports that listen.
  connections.cut()
  await Promise.race([closeAll(ends), stop.hurry])
  const { established, failed, unserved } = connections.count
  const counts = `${established} connections served, ${failed} handshakes failed, ${unserved} connections not taken by the service`
  pt.reporter.log('info', `stopped: ${reason}; ${counts}`)
  return await exit(pt, STOPPED)
}

/** Resolves when each transport has ended what outlives its connections, which takes a limited time. */
async function closeAll(ends: Promise<readonly Launched[]>): Promise<void> {
  const all = await Promise.race([ends, new Promise<readonly Launched[]>((resolve) => setImmediate(resolve, []))])
  await Promise.all(all.map((end) => end.close()))
}

/** Resolves if nothing listens. Such a PT serves nothing, and parents would keep it running; obfs4proxy ends as well. */
async function nothingIn(ends: Promise<readonly Launched[]>): Promise<'nothing'> {
  if ((await ends).length === 0) return 'nothing'
  return await new Promise(() => undefined)
}

/** Lets connections finish: a long time after SIGINT, and `drainTimeout` after any other reason. */
async function drain(pt: Pt, stop: StopRequest, connections: Connections, reason: StopReason): Promise<void> {
  const { drainTimeout = DRAIN_TIMEOUT, interruptTimeout = INTERRUPT_TIMEOUT } = pt.options
  if (reason !== 'SIGINT') return await connections.drain(drainTimeout)
  void stop.firm.then(() => connections.drain(drainTimeout))
  await connections.drain(interruptTimeout)
}

/**
 * From here on stdout is the protocol's. A lost promise belongs to one connection, and the others go on. An uncaught exception
 * ends the process: it broke off in the middle of code that all connections share, whose memory holds the bytes of each
 * in turn, and a PT that goes on might give one connection's bytes to another. The parent starts it again.
 */
function takeOver(options: PtOptions): Pt {
  const stdout = openLineOutput(1, (count) =>
    formatMessage({
      type: 'log',
      severity: 'warning',
      message: `${count} lines dropped: the parent did not read them`,
    }),
  )
  const stderr = openLineOutput(2, (count) => `${count} lines dropped: they were not read\n`)
  stderr.release()
  // A console.log in a transport would break the protocol, and a console.error could hold addresses.
  for (const stream of [process.stdout, process.stderr]) {
    redirect(stream, (text) => stderr.write(options.unsafeLogging ? text : scrubAddresses(text)))
  }
  const pt = { options, stdout, stderr, reporter: createReporter(stdout, options), rehearsals: new Rehearsals() }
  process.on('uncaughtException', (error) => void die(pt, error))
  process.on('unhandledRejection', (error) => pt.reporter.log('error', `unhandled rejection: ${messageOf(error)}`))
  return pt
}

function launch(pt: Pt, configuration: Configuration, known: Registry, ports: Ports): Promise<Launched[]> {
  const { options, reporter } = pt
  const { env } = configuration
  const unknown = env.transports
    .map((one) => (typeof one === 'string' ? one : one.name))
    .filter((name) => !known.has(name))
  const severity = unknown.length === env.transports.length ? 'error' : 'info'
  if (unknown.length > 0) reporter.log(severity, `passed over, as this PT has no such transport: ${unknown.join(', ')}`)
  const common = { ...options, stateDir: env.stateDir, reporter, ports, rehearsals: pt.rehearsals }
  if (configuration.role === 'client') {
    const { transports, outboundBind } = configuration.env
    const way = { proxy: configuration.proxy, outboundBind }
    const connect = ports.descriptors.counting(makeConnect(way))
    const datagrams = ports.descriptors.countingFlows(makeDatagrams(way))
    const entries = transports.flatMap((name) => known.get(name) ?? [])
    return startClient({ ...common, connect, datagrams, entries })
  }
  const { transports, destination } = configuration.env
  const entries = transports.flatMap((requested) => {
    const entry = known.get(requested.name)
    return entry === undefined ? [] : [{ ...requested, entry }]
  })
  return startServer({ ...common, connect: ports.descriptors.counting(makeConnect({})), destination, entries })
}

/** Signals and the parent's death count from the start, and stdin as soon as the environment says so. */
function watch(parentIsAlive: () => boolean): StopRequest {
  // nohup and terminals send it to the whole group, but it is the parent's decision when a PT ends.
  process.on('SIGHUP', () => undefined)
  // Node would open its debugger to all users of this machine, in a process that holds keys.
  process.on('SIGUSR1', () => undefined)
  return watchForStop({
    parentIsAlive,
    onSignal(listener) {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => listener(signal))
    },
  })
}

/** A PT without a parent serves nothing, and no other program would ever end it. */
async function exitOrphaned(pt: Pt): Promise<never> {
  pt.stderr.write(`${pt.options.implementation?.name ?? 'pt'}: the process that started this one has already ended\n`)
  return await exit(pt, STOPPED)
}

async function fail(pt: Pt, error: unknown, afterVersion: boolean): Promise<never> {
  sayFatal(pt.reporter, error, afterVersion)
  complain(pt, error)
  return await exit(pt, FAILED)
}

async function die(pt: Pt, error: unknown): Promise<never> {
  pt.reporter.lastWords(`internal error: ${messageOf(error)}`)
  complain(pt, error)
  return await exit(pt, FAILED)
}

/** Tells a user on stderr, which serves a start by hand and tor's log. */
function complain({ options, stderr }: Pt, error: unknown): void {
  const text = `${options.implementation?.name ?? 'pt'}: ${messageOf(error)}\n`
  stderr.write(options.unsafeLogging ? text : scrubAddresses(text))
  if (isPtError(error, 'PT_ENV')) {
    stderr.write(
      'A pluggable transport is started by tor or another parent process, which sets the TOR_PT_ variables.\n',
    )
  }
}

async function exit({ stdout, stderr }: Pt, status: number): Promise<never> {
  await Promise.all([stdout.close(FLUSH_TIMEOUT), stderr.close(FLUSH_TIMEOUT)])
  process.exit(status)
}
