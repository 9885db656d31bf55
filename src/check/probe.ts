/**
 * A probe: one question to the program under test, answered from outside. It returns if the statement is kept, and
 * throws a Finding for every other verdict; any other error means that it could not be told.
 */
import type { Role, Step, Verdict } from './verdict.ts'

export interface Probe<Lab> {
  /** The statements that the answer is about. */
  readonly ids: readonly string[]
  readonly role: Role
  readonly title: string
  /** True if the probe waits out a time limit of the program under test. */
  readonly slow?: boolean
  run(lab: Lab): Promise<void>
}

/** A verdict other than kept. */
export class Finding extends Error {
  readonly verdict: Exclude<Verdict, 'kept'>

  constructor(verdict: Exclude<Verdict, 'kept'>, why: string) {
    super(why)
    this.name = 'Finding'
    this.verdict = verdict
  }
}

export function notApplicable(why: string): never {
  throw new Finding('notApplicable', why)
}

export function cannotTell(why: string): never {
  throw new Finding('unknown', why)
}

/** Notes what was tried; the first thing that does not hold ends the probe. */
export class Notes {
  readonly steps: Step[] = []

  expect(holds: boolean, step: Step): void {
    this.steps.push(step)
    if (!holds) throw new Finding('broken', `expected ${step.expected}`)
  }
}
