/**
 * Several bridges for one purpose: which is tried first, and when one that failed is tried again.
 *
 *     fail-over   in the order of the list; the next is started beside one that has not answered after 5 s
 *     race        all of them, 250 ms after one another; whoever answers first is taken
 *
 * A bridge that failed is last for a while that doubles with each failure, 5 s up to 5 min. It then has its place again.
 */
import type { Duplex } from 'node:stream'
import type { DialStage } from '../error.ts'
import { isPtError, PtError } from '../error.ts'
import { firstOf } from '../io/index.ts'
import type { BridgeLine } from './bridge-line.ts'

export type Strategy = 'failover' | 'race'

/** Milliseconds before the next bridge is started beside the one before. */
const headStart: Readonly<Record<Strategy, number>> = { failover: 5_000, race: 250 }

/** A bridge that was outrun after so many ms without an answer has failed; one that was outrun sooner has not. */
const SILENCE = 5_000

const FIRST_PAUSE = 5_000
const LONGEST_PAUSE = 300_000

export interface Candidate {
  readonly line: BridgeLine
  /** In a row. */
  failures: number
  /** By performance.now. */
  retryAt: number
}

export interface CandidatesOptions {
  readonly lines: readonly BridgeLine[]
  readonly strategy: Strategy
  /** Told of each bridge that failed, those too that another stood in for. */
  readonly onFailure: (error: PtError, line: BridgeLine) => void
}

export type DialBridge = (line: BridgeLine, signal: AbortSignal) => Promise<Duplex>

export class Candidates {
  readonly #all: readonly Candidate[]
  readonly #strategy: Strategy
  readonly #onFailure: CandidatesOptions['onFailure']

  constructor({ lines, strategy, onFailure }: CandidatesOptions) {
    this.#all = lines.map((line) => ({ line, failures: 0, retryAt: 0 }))
    this.#strategy = strategy
    this.#onFailure = onFailure
  }

  /** A connection to one of them. Rejects with the error of a single bridge, PT_BRIDGES, or the signal's reason. */
  async connect(dial: DialBridge, signal: AbortSignal): Promise<Duplex> {
    const attempts = inOrder(this.#all, performance.now()).map(
      (candidate) => (signal: AbortSignal) => this.#attempt(candidate, dial, signal),
    )
    try {
      return await firstOf(attempts, signal, headStart[this.#strategy])
    } catch (error) {
      signal.throwIfAborted()
      throw error instanceof AggregateError ? noneOf(error) : error
    }
  }

  async #attempt(candidate: Candidate, dial: DialBridge, signal: AbortSignal): Promise<Duplex> {
    const start = performance.now()
    try {
      const conn = await dial(candidate.line, signal)
      candidate.failures = 0
      candidate.retryAt = 0
      return conn
    } catch (error) {
      const waited = performance.now() - start
      if (!signal.aborted) this.#failed(candidate, error as PtError)
      else if (waited >= SILENCE) this.#failed(candidate, outrun(candidate.line.transport, waited))
      throw error
    }
  }

  #failed(candidate: Candidate, error: PtError): void {
    candidate.retryAt = performance.now() + pauseAfter(candidate.failures)
    candidate.failures++
    this.#onFailure(error, candidate.line)
  }
}

/** Those that may be tried, in the order of the list; behind them the others, the soonest first. */
export function inOrder(all: readonly Candidate[], now: number): Candidate[] {
  const resting = all.filter(({ retryAt }) => retryAt > now).sort((a, b) => a.retryAt - b.retryAt)
  return [...all.filter(({ retryAt }) => retryAt <= now), ...resting]
}

/** Milliseconds after a failure that `failures` others came before. */
export function pauseAfter(failures: number): number {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures)
}

function outrun(transport: string, waited: number): PtError {
  const message = `${transport}: no answer within ${Math.round(waited / 1000)} s`
  return new PtError('PT_TIMEOUT', message, { stage: 'timeout' })
}

/** The stage of the bridge that came furthest says most about what is wrong. */
const furthestFirst: readonly DialStage[] = [
  'auth',
  'hour',
  'mac',
  'mark',
  'closed',
  'timeout',
  'proxy',
  'connect',
  'dns',
  'argument',
]

function noneOf(error: AggregateError): PtError {
  const errors = error.errors as readonly unknown[]
  const stages = new Set(errors.flatMap((one) => (isPtError(one) && one.stage !== undefined ? [one.stage] : [])))
  const stage = furthestFirst.find((one) => stages.has(one))
  const message = `none of ${errors.length} bridges gave a connection; the one that came furthest: ${stage ?? 'unknown'}`
  return new PtError('PT_BRIDGES', message, { cause: error, ...(stage === undefined ? {} : { stage }) })
}
