/** What the tests of the checker share: our own PT as a command, and what a report says, in short. */
import type { CheckPtOptions, Report, Role } from 'postern/check'
import { checkPt } from 'postern/check'
import { root } from '../support.ts'

/** Our executable with the transport of the draft's example. */
export const ourPt: readonly string[] = [
  process.execPath,
  `${root}dist/cli/main.js`,
  'pt',
  '--load',
  `${root}dist/examples/rot-by-n.js`,
]

/** The PT of test/fixtures/mutants, whole or broken. */
export function tinyPt(mutant?: string): readonly string[] {
  const program = [process.execPath, `${root}test/fixtures/mutants/pt.mjs`]
  return mutant === undefined ? program : [...program, '--mutant', mutant]
}

/** A mutant in one role; its other half is whole. The machine may be busy, so there is time. */
export async function checkMutant(name: string, role: Role, options: Partial<CheckPtOptions> = {}): Promise<Report> {
  const subject = { exec: tinyPt(name), roles: [role], transport: 'tiny', peer: tinyPt() }
  return await checkPt({ ...subject, patience: 15_000, skipSlow: true, ...options })
}

/** The ids of each verdict, `broken` without advice and `advice` apart, sorted and each once. */
export function idsOf(
  report: Report,
  role: Role,
): Record<'kept' | 'broken' | 'advice' | 'notApplicable' | 'unknown', string[]> {
  const own = report.results.filter((result) => result.role === role)
  const of = (verdict: string, advice?: boolean): string[] =>
    [
      ...new Set(
        own
          .filter((result) => result.verdict === verdict)
          .filter(({ level }) => advice === undefined || (level === 'ADVICE') === advice)
          .map(({ id }) => id),
      ),
    ].sort()
  return {
    kept: of('kept'),
    broken: of('broken', false),
    advice: of('broken', true),
    notApplicable: of('notApplicable'),
    unknown: of('unknown'),
  }
}
