/**
 * Several bridges for one purpose: which is tried first, and when one that failed is tried again.
 *
 *     fail-over   in the order of the list; the next is started beside one that has not answered after 5 s
 *     race        all of them, 250 ms after one another; the one that answers first is taken
 *
 * A bridge that failed is last until it has answered again. No connection has to wait to find that out: the bridge is tried in the
 * background, one such bridge at a time, after a pause that doubles from 5 s up to 5 min.
 */
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../error.ts'
import { furthestStage } from '../failure.ts'
import { withDeadline } from '../io/wait/deadline.ts'
import { firstOf } from '../io/wait/race.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'

/** How one of several bridges is chosen. */
export type Strategy = 'failover' | 'race'

/** Milliseconds before the next bridge is started beside the one before. */
const headStart: Readonly<Record<Strategy, number>> = { failover: 5_000, race: 250 }

/** A bridge has failed if another one answered first after so many milliseconds. If it was sooner, this one was only slower. */
const SILENCE = 5_000

const FIRST_PAUSE = 5_000
const LONGEST_PAUSE = 300_000

/** How long an attempt in the background may take, in milliseconds. */
const RETRY_TIMEOUT = 30_000

export interface Candidate {
  readonly line: BridgeLine
  /** How many failures there were in a row. */
  failures: number
  /** When it is tried again, by performance.now. */
  retryAt: number
}

type DialBridge = (line: BridgeLine, signal: AbortSignal) => Promise<Duplex>

export interface CandidatesOptions {
  readonly lines: readonly BridgeLine[]
  readonly strategy: Strategy
  readonly dial: DialBridge
  /** Told of each bridge that failed a connection, even if another bridge made it. */
  readonly onFailure: (error: PtError, line: BridgeLine) => void
  /** Told of each bridge that had failed and answers again. */
  readonly onRecovery: (line: BridgeLine) => void
}

export class Candidates implements Disposable {
  readonly #all: readonly Candidate[]
  readonly #options: CandidatesOptions
  readonly #closing = new AbortController()
  readonly #timers = new Map<Candidate, NodeJS.Timeout>()
  #turn: Promise<void> = Promise.resolve()

  constructor(options: CandidatesOptions) {
    this.#all = options.lines.map((line) => ({ line, failures: 0, retryAt: 0 }))
    this.#options = options
  }

  /** A connection to one of the bridges. Rejects with the error of a single bridge, PT_BRIDGES, or the signal's reason. */
  async connect(signal: AbortSignal): Promise<Duplex> {
    const attempts = inOrder(this.#all).map((candidate) => (signal: AbortSignal) => this.#attempt(candidate, signal))
    try {
      return await firstOf(attempts, signal, headStart[this.#options.strategy])
    } catch (error) {
      signal.throwIfAborted()
      throw error instanceof AggregateError ? noneOf(error) : error
    }
  }

  /** Ends the attempts in the background. */
  [Symbol.dispose](): void {
    this.#closing.abort()
    for (const timer of this.#timers.values()) clearTimeout(timer)
  }

  async #attempt(candidate: Candidate, signal: AbortSignal): Promise<Duplex> {
    const start = performance.now()
    try {
      const conn = await this.#options.dial(candidate.line, signal)
      this.#answered(candidate)
      return conn
    } catch (error) {
      const waited = performance.now() - start
      if (!signal.aborted) this.#failed(candidate, error as PtError)
      else if (waited >= SILENCE) this.#failed(candidate, outrun(candidate.line.transport, waited))
      throw error
    }
  }

  #failed(candidate: Candidate, error: PtError): void {
    this.#rest(candidate)
    this.#options.onFailure(error, candidate.line)
  }

  #answered(candidate: Candidate): void {
    if (candidate.failures === 0) return
    candidate.failures = 0
    clearTimeout(this.#timers.get(candidate))
    this.#options.onRecovery(candidate.line)
  }

  #rest(candidate: Candidate): void {
    const pause = pauseAfter(candidate.failures++)
    candidate.retryAt = performance.now() + pause
    clearTimeout(this.#timers.get(candidate))
    // A single bridge is tried by the next connection.
    if (this.#all.length === 1 || this.#closing.signal.aborted) return
    const retry = (): void => void (this.#turn = this.#turn.then(() => this.#retry(candidate)))
    this.#timers.set(candidate, setTimeout(retry, pause).unref())
  }

  /** Never rejects. */
  async #retry(candidate: Candidate): Promise<void> {
    const { signal } = this.#closing
    if (candidate.failures === 0 || signal.aborted) return
    const { transport } = candidate.line
    try {
      const conn = await withDeadline(RETRY_TIMEOUT, `another try of a bridge of ${transport}`, signal, (limit) =>
        this.#options.dial(candidate.line, limit),
      )
      conn.on('error', () => undefined).destroy()
      this.#answered(candidate)
    } catch {
      this.#rest(candidate)
    }
  }
}

/** In the order of the list. Those that failed last come after the others, the one whose turn comes soonest first. */
export function inOrder(all: readonly Candidate[]): Candidate[] {
  const resting = all.filter(({ failures }) => failures > 0).sort((a, b) => a.retryAt - b.retryAt)
  return [...all.filter(({ failures }) => failures === 0), ...resting]
}

/** The pause in milliseconds after a failure that came after `failures` others. */
export function pauseAfter(failures: number): number {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures)
}

function outrun(transport: string, waited: number): PtError {
  const message = `${transport}: no answer within ${Math.round(waited / 1000)} s`
  return new PtError('PT_TIMEOUT', message, { stage: 'timeout' })
}

/** The error for all of them. The stage of the bridge that came furthest says most about what is wrong. */
function noneOf(error: AggregateError): PtError {
  const errors = error.errors as readonly unknown[]
  const stage = furthestStage(errors.flatMap((one) => (isPtError(one) && one.stage !== undefined ? [one.stage] : [])))
  const message = `none of ${errors.length} bridges gave a connection; the one that came furthest: ${stage ?? 'unknown'}`
  return new PtError('PT_BRIDGES', message, { cause: error, ...(stage === undefined ? {} : { stage }) })
}
