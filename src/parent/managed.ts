/**
 * What launching a client and launching a server have in common: options, the first life, supervision, and the end.
 */
import type { Discretion } from './discretion.ts'
import type { OnEvent } from './events.ts'
import { guarded } from './events.ts'
import type { Life, Plan } from './life.ts'
import { startLife } from './life.ts'
import type { ExitStatus } from './stop.ts'
import type { RestartOptions } from './supervise.ts'
import { Supervisor } from './supervise.ts'

/** The options that launchClient and launchServer have in common. */
export interface LaunchOptions {
  /** The program, or the program and its arguments. Without a slash it is looked for in PATH. */
  readonly exec: string | readonly string[]
  /** The PT makes the directory if it does not exist (ENV-5). A relative path is relative to the working directory. */
  readonly stateDir: string
  /** The environment of the PT besides TOR_PT_ variables; by default that of this process, without them. */
  readonly env?: Readonly<Record<string, string>>
  /** Whether every requested transport has to start. `any`, the default, wants one; `failures` has the others. */
  readonly require?: 'all' | 'any'
  /** Milliseconds until the PT has to be ready. Default 30,000. */
  readonly startTimeout?: number
  /** Milliseconds that the PT has to end, at each step of the ladder. Default 5,000. */
  readonly stopTimeout?: number
  /** `false`: a PT that ends is not started again. */
  readonly restart?: false | RestartOptions
  /** Stops the PT when it aborts, as `stop()` does. */
  readonly signal?: AbortSignal
  /**
   * Values that no error of this PT may repeat of the PT's words, such as the names and arguments of bridges that are still to
   * be dialled. What the parent has told the PT counts in any case.
   */
  readonly secrets?: readonly string[]
  /** Told of all that happens. What it throws is an uncaught exception of the process; the PT goes on. */
  readonly onEvent?: OnEvent
}

/** A PT that runs. */
export interface Managed extends AsyncDisposable {
  /** Why a requested transport is not there, in the PT's words; empty if all are. */
  readonly failures: ReadonlyMap<string, string>
  /**
   * Ends the PT: closes its stdin, waits, sends SIGTERM, waits, kills, and waits for at most five seconds more. Resolves with how it
   * ended when it is gone. If it cannot be ended, as it runs as another user, the event `unstoppable` says so and `step` is `none`.
   * Every call gives the same result; leaving an `await using` scope calls it.
   */
  stop(): Promise<ExitStatus>
}

/** What a client or a server adds to the common part. */
export interface Role {
  readonly transports: readonly string[]
  /** Makes the plan of each life. */
  plan(): Omit<Plan, 'required' | 'startTimeout' | 'stopTimeout' | 'discretion'>
  readonly discretion: Discretion
  onFirstReady?(life: Life): void
  /** Runs when the PT has been stopped. */
  readonly cleanUp?: () => Promise<void>
}

/** Launches the PT and keeps it running. The first failure goes to the caller; every later launch wants the same transports again. */
export async function supervised(options: LaunchOptions, role: Role): Promise<Supervisor> {
  const { startTimeout = 30_000, stopTimeout = 5_000, signal } = options
  const emit = guarded(options.onEvent)
  const start = async (required: readonly string[], until: AbortSignal | undefined): Promise<Life> =>
    await startLife({ ...role.plan(), required, startTimeout, stopTimeout, discretion: role.discretion }, emit, until)
  const first = await start(options.require === 'all' ? role.transports : [], signal)
  role.onFirstReady?.(first)
  const supervisor = new Supervisor({
    first,
    relaunch: (until) => start([...first.methods.keys()], until),
    restart: options.restart,
    emit,
    cleanUp: role.cleanUp,
  })
  stopOnAbort(supervisor, signal)
  return supervisor
}

function stopOnAbort(supervisor: Supervisor, signal: AbortSignal | undefined): void {
  // stop() returns the same promise, so its callers learn why it failed.
  const abort = (): void => void supervisor.stop().catch(() => undefined)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })
  supervisor.stopping.addEventListener('abort', () => signal?.removeEventListener('abort', abort), { once: true })
}
