/**
 * What the PT says about single connections. Our own PT names each by a number that both sides know, so that nothing has to be guessed:
 *
 *     this parent, 127.0.0.1:50312 ── SOCKS ── PT       STATUS TRANSPORT=obfs4 PORT=50312 CONNECT=Failed STAGE=mark ERRSTR="…"
 *
 * The PT writes the line before its SOCKS reply. The two come through different pipes, so the reply may be read first, and then the
 * line is waited for. PTs that say no PORT are left to guess.ts. docs/decisions/0056-failures.md says what was not taken.
 */
import type { DialStage } from '../failure.ts'
import { parseStage } from '../failure.ts'
import type { PtEvent } from './events.ts'

/** What the PT said about a connection that failed. */
export interface Outcome {
  readonly stage: DialStage | undefined
  /** The words of the PT, as they came. */
  readonly words: string
}

/** How long the line of a failed connection is waited for, in milliseconds: of a PT that names connections, and of one that may not. */
const PATIENCE = { exact: 1_000, unknown: 50 }

/** The connections whose outcome is awaited. Lines about others are passed over, so the PT cannot make it grow. */
export class Outcomes {
  readonly #expected = new Map<string, Expectation>()
  #exact = false

  /** True once the PT has named a connection: it will name the others too. */
  get exact(): boolean {
    return this.#exact
  }

  /** Milliseconds that the line of a failed connection is worth waiting for. */
  get patience(): number {
    return this.#exact ? PATIENCE.exact : PATIENCE.unknown
  }

  /** Takes every event of the PT. */
  note(event: PtEvent): void {
    if (event.type !== 'status' || event.transport === undefined) return
    const port = event.args.get('PORT')
    if (port === undefined) return
    this.#exact = true
    if (event.args.get('CONNECT') !== 'Failed') return
    const outcome = { stage: parseStage(event.args.get('STAGE')), words: event.args.get('ERRSTR') ?? '' }
    this.#expected.get(keyOf(event.transport, port))?.settle(outcome)
  }

  /** Expects the outcome of the connection from the local `port` to the SOCKS port of `transport`, until it is disposed of. */
  expect(transport: string, port: number): Expectation {
    const key = keyOf(transport, `${port}`)
    const expectation = new Expectation(() => this.#expected.delete(key))
    this.#expected.set(key, expectation)
    return expectation
  }
}

/** The outcome of one connection, which may never be said. */
export class Expectation implements Disposable {
  readonly #forget: () => void
  #said: Outcome | undefined
  #wake: (() => void) | undefined

  constructor(forget: () => void) {
    this.#forget = forget
  }

  settle(outcome: Outcome): void {
    this.#said = outcome
    this.#wake?.()
  }

  /** The outcome, waited for at most `ms` milliseconds. */
  within(ms: number): Promise<Outcome | undefined> {
    return new Promise((resolve) => {
      if (this.#said !== undefined) return resolve(this.#said)
      const timer = setTimeout(() => {
        // If this process was busy, the timer comes before the line that waits in the pipe. One more turn of the loop reads it.
        setImmediate(() => resolve(this.#said))
      }, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve(this.#said)
      }
    })
  }

  [Symbol.dispose](): void {
    this.#forget()
  }
}

/** Two transports have two SOCKS ports, and the system may use one local port towards both. */
function keyOf(transport: string, port: string): string {
  return `${transport} ${port}`
}
