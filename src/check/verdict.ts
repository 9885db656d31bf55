/**
 * What a probe finds out, as plain data: the verdict, and what was sent, expected and seen.
 */
import type { Requirement } from '../ipc/requirements.ts'
import { requirements } from '../ipc/requirements.ts'
import { sentenceOf } from './draft.ts'
import { traps } from './traps.ts'

/** The role of a PT. */
export type Role = 'client' | 'server'

/** The verdicts, with the words of the reports. */
export const verdicts = {
  kept: 'kept',
  broken: 'broken',
  notApplicable: 'not applicable',
  unknown: 'could not tell',
} as const
/** The verdict on one statement. */
export type Verdict = keyof typeof verdicts

/** One thing that was tried. */
export interface Step {
  /** What the program was given: variables, bytes, signals. */
  readonly sent: string
  readonly expected: string
  readonly seen: string
}

/** A statement that can be kept or broken: of the draft, or (level ADVICE) a trap of real peers. */
export interface Statement extends Pick<Requirement, 'id' | 'section' | 'says'> {
  readonly level: Requirement['level'] | 'ADVICE'
  /** The draft's own sentence; empty for a trap. */
  readonly draft: string
  readonly note?: string
}

/** What one probe found out about one statement. */
export interface Result extends Statement {
  /** The role of the program under test. */
  readonly role: Role
  readonly title: string
  readonly verdict: Verdict
  /** Why it is not applicable or could not be told; empty otherwise. */
  readonly why: string
  /** The steps in order; if the verdict is broken, the last one is the breach. */
  readonly steps: readonly Step[]
  /** True if the probe waits out a time limit. */
  readonly slow: boolean
  /** How long the probe took, in milliseconds. */
  readonly duration: number
}

/** What a whole check found out. */
export interface Report {
  readonly subject: 'pt' | 'parent'
  /** What was checked, and its version, in the words of the caller; empty if the caller gave none. */
  readonly title: string
  /** The command line that was checked. */
  readonly command: readonly string[]
  /** The transport that each role was tried with. */
  readonly transports: Readonly<Partial<Record<Role, string>>>
  /** When the check began, ISO 8601 in UTC. */
  readonly date: string
  /** How long the check took, in milliseconds. */
  readonly duration: number
  readonly results: readonly Result[]
  /** Titles of the probes that were left out by `skipSlow`. */
  readonly skipped: readonly string[]
  /** Roles of a PT in which it never announced the transport that it was tried with: it is no PT in them. */
  readonly absent: readonly Role[]
}

/** What the draft calls the recommended way is no more than a SHOULD, though it is told as a fact. */
const recommended: ReadonlySet<string> = new Set(['STOP-1'])

const statements: ReadonlyMap<string, Statement> = new Map(
  [...requirements, ...traps].map(({ level, ...statement }) => [
    statement.id,
    { ...statement, level: recommended.has(statement.id) ? 'SHOULD' : level, draft: sentenceOf(statement.id) },
  ]),
)

/** Returns the statement with this id; undefined if there is none. */
export function statementOf(id: string): Statement | undefined {
  return statements.get(id)
}

/** Says how much a broken statement weighs. What the draft states as a plain fact weighs like its MUSTs. */
export function weightOf({ level }: Pick<Statement, 'level'>): 'error' | 'warning' | 'advice' {
  if (level === 'ADVICE') return 'advice'
  return level === 'MUST' || level === 'IS' ? 'error' : 'warning'
}

/** Returns the broken results of each weight. */
export function breaches(results: readonly Result[]): Record<'error' | 'warning' | 'advice', Result[]> {
  const broken = results.filter(({ verdict }) => verdict === 'broken')
  const of = (weight: string): Result[] => broken.filter((result) => weightOf(result) === weight)
  return { error: of('error'), warning: of('warning'), advice: of('advice') }
}

/**
 * Returns 1 if a MUST or a plain fact is broken, with `strict` also for a SHOULD, or if the program of a whole report is no PT in one of
 * its roles; else 0. Advice never counts.
 */
export function exitStatus(of: Pick<Report, 'results' | 'absent'> | readonly Result[], strict = false): 0 | 1 {
  const { results, absent } = 'results' in of ? of : { results: of, absent: [] }
  const { error, warning } = breaches(results)
  return absent.length > 0 || error.length > 0 || (strict && warning.length > 0) ? 1 : 0
}

/** Says why nothing can be told about a role that is absent. */
export function absence(role: Role, transport = ''): string {
  return `the program is no ${role} of ${transport}: it announced that transport in none of its launches`
}
