/**
 * Keeps a PT running: it is started again each time it ends, later and later, and no more after too many ends in a row.
 *
 *     ended ── wait 250 ms · 500 ms · 1 s … 30 s, each shortened by up to a half at random ── launch ── ready
 *
 * The randomness keeps many parents of one machine from starting at the same moment; the cap keeps a PT that dies of its
 * configuration from being started for ever.
 */
import { setMaxListeners } from 'node:events'
import { PtError } from '../error.ts'
import { delay } from '../io/wait/deadline.ts'
import type { OnEvent } from './events.ts'
import type { Ending, Life } from './life.ts'
import type { ExitStatus } from './stop.ts'
import { within } from '../io/wait/within.ts'

/** How a PT that has ended is started again. */
export interface RestartOptions {
  /** Milliseconds before the first restart; doubled with each end in a row. Default 250. */
  readonly initialDelay?: number
  /** The longest wait in milliseconds. Default 30,000. */
  readonly maxDelay?: number
  /** A PT that ran for this many milliseconds was healthy: the count starts again. Default 60,000. */
  readonly healthyAfter?: number
  /** How many ends in a row are followed by a restart. Default 5. */
  readonly maxRestarts?: number
}

const defaults: Required<RestartOptions> = { initialDelay: 250, maxDelay: 30_000, healthyAfter: 60_000, maxRestarts: 5 }

/** The wait before restart number `attempt` (from 1), in milliseconds; `random` is from 0 to 1. */
export function backOff(options: Required<RestartOptions>, attempt: number, random: number): number {
  const full = Math.min(options.maxDelay, options.initialDelay * 2 ** (attempt - 1))
  return Math.round(full * (1 - random / 2))
}

export interface Supervision {
  readonly first: Life
  relaunch(this: void, signal: AbortSignal): Promise<Life>
  readonly restart: false | RestartOptions | undefined
  readonly emit: OnEvent
  /** Runs when the PT has been stopped. */
  readonly cleanUp: (() => Promise<void>) | undefined
}

export class Supervisor {
  readonly #relaunch: Supervision['relaunch']
  readonly #cleanUp: Supervision['cleanUp']
  readonly #policy: Required<RestartOptions> | undefined
  readonly #emit: OnEvent
  readonly #stopping: AbortController = new AbortController()
  readonly #over: Promise<void>
  #life: Life
  #ready: Gate
  #stopped: Promise<ExitStatus> | undefined
  #draining = false

  constructor({ first, relaunch, restart, emit, cleanUp }: Supervision) {
    this.#life = first
    this.#relaunch = relaunch
    this.#policy = restart === false ? undefined : { ...defaults, ...restart }
    this.#emit = emit
    this.#cleanUp = cleanUp
    this.#ready = gate()
    this.#ready.open(first)
    // Each connection that is being made listens, so there may be many.
    setMaxListeners(0, this.#stopping.signal)
    this.#over = this.#supervise()
  }

  /** The life that runs, or the last that did. */
  get life(): Life {
    return this.#life
  }

  /** Resolves with the life that runs; waits while the PT is restarted. Rejects with PT_STOPPED, PT_CRASH_LOOP or PT_EXITED. */
  ready(): Promise<Life> {
    return this.#ready.passed
  }

  /** Aborts, with PT_STOPPED, as soon as the PT is being stopped. */
  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  /**
   * Asks the PT to accept no more (SIGINT), and resolves when it has ended, or after `ms` milliseconds. It is not started
   * again. Resolves at once if that cannot be asked.
   */
  async drain(ms: number): Promise<void> {
    this.#draining = true
    const life = this.#life
    if (life.interrupt()) await within(life.ended, ms)
  }

  /** Ends the PT and all waiting. Every call gives the same result. */
  stop(): Promise<ExitStatus> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<ExitStatus> {
    this.#stopping.abort(new PtError('PT_STOPPED', 'the PT has been stopped'))
    this.#shut(this.#stopping.signal.reason as PtError)
    const status = await this.#endLives()
    await this.#cleanUp?.()
    this.#emit({ type: 'stopped', code: status.code, signal: status.signal })
    return status
  }

  /** Stops the life that runs, and the one that a restart has just brought when it was to stop. */
  async #endLives(): Promise<ExitStatus> {
    const life = this.#life
    const status = await life.stop()
    // The end of a program that could not be ended never comes.
    if (status.step === 'none') return status
    await this.#over
    return this.#life === life ? status : await this.#life.stop()
  }

  async #supervise(): Promise<void> {
    let ends = 0
    for (;;) {
      const ending = await this.#life.ended
      if (this.#stopping.signal.aborted || this.#draining) return
      if (this.#policy === undefined) return this.#giveUp(ending.error)
      this.#ready = gate()
      ends = ending.uptime >= this.#policy.healthyAfter ? 1 : ends + 1
      const attempt = await this.#restart(this.#policy, ends, ending)
      if (attempt === undefined) return
      ends = attempt
    }
  }

  /** Starts the next life; returns how many ends in a row came before it, or undefined if there is none to go on with. */
  async #restart(
    policy: Required<RestartOptions>,
    ends: number,
    { error }: Pick<Ending, 'error'>,
  ): Promise<number | undefined> {
    const { signal } = this.#stopping
    let last = error
    for (let attempt = ends; attempt <= policy.maxRestarts; attempt++) {
      const wait = backOff(policy, attempt, Math.random())
      this.#emit({ type: 'restarting', attempt, delay: wait, error: last })
      try {
        await delay(wait, signal)
        if (this.#draining) return undefined
        // In one turn: whenever stop() is called, #life is the life that it has to end, or will be before #over resolves.
        this.#life = await this.#relaunch(signal)
        if (signal.aborted) return undefined
        this.#ready.open(this.#life)
        return attempt
      } catch (failure) {
        if (signal.aborted) return undefined
        last = failure as PtError
      }
    }
    const times = `the PT ended ${policy.maxRestarts + 1} times in a row and is not started again; the last time`
    this.#giveUp(new PtError('PT_CRASH_LOOP', `${times}: ${last.message}`, { cause: last }))
    return undefined
  }

  #giveUp(error: PtError): void {
    this.#shut(error)
    this.#emit({ type: 'gaveUp', error })
  }

  /** Tells all who wait for the PT, now or later, why it will not come. */
  #shut(error: PtError): void {
    this.#ready.fail(error)
    this.#ready = gate()
    this.#ready.fail(error)
  }
}

/** The promise that connections wait for while the PT is restarted. */
interface Gate {
  readonly passed: Promise<Life>
  open(life: Life): void
  fail(error: Error): void
}

function gate(): Gate {
  let open!: Gate['open']
  let fail!: Gate['fail']
  const passed = new Promise<Life>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  passed.catch(() => undefined)
  return { passed, open, fail }
}
