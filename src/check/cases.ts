/**
 * A check as independent cases, for any test runner:
 *
 *     for (const { name, run } of ptCases({ exec: ['./my-pt'], roles: ['client'], transport: 'mine' })) test(name, run)
 */
import type { CheckParentOptions } from './parent/check-parent.ts'
import { checkParent } from './parent/check-parent.ts'
import { parentProbes } from './parent/probes/index.ts'
import type { CheckPtOptions } from './pt/check-pt.ts'
import { checkPt } from './pt/check-pt.ts'
import { ptProbes } from './pt/probes/index.ts'
import type { Probe } from './probe.ts'
import type { Report, Result, Role } from './verdict.ts'
import { absence, exitStatus, weightOf } from './verdict.ts'

/** What a case says of one requirement. */
export interface CheckCase {
  /** `client CM-4: an unknown name causes no CMETHOD-ERROR`. */
  readonly name: string
  /**
   * Resolves with the result if nothing that counts is broken, and rejects with the breach as its message otherwise. The
   * check runs once, and begins with the first case that is run; every other one waits for it.
   */
  readonly run: () => Promise<Result>
}

interface CaseOptions {
  /** A broken SHOULD fails its case too. */
  readonly strict?: boolean
}

/** Returns the cases of a PT in `roles`, by default in both. Roles and transport have to be named, as nothing is started yet. */
export function ptCases(options: CheckPtOptions & CaseOptions & { readonly transport: string }): CheckCase[] {
  const { roles = ['client', 'server'] } = options
  const report = once(() => checkPt({ ...options, roles }))
  return roles.flatMap((role) => casesOf(ptProbes(role), role, options, report))
}

/** Returns the cases of a parent that launches PTs in `role`. */
export function parentCases(options: CheckParentOptions & CaseOptions & { readonly role: Role }): CheckCase[] {
  return casesOf(
    parentProbes(options.role),
    options.role,
    options,
    once(() => checkParent(options)),
  )
}

function once(check: () => Promise<Report>): () => Promise<Report> {
  let report: Promise<Report> | undefined
  return () => (report ??= check())
}

function casesOf(
  probes: readonly Probe<never>[],
  role: Role,
  { only, skipSlow = false, strict = false }: CheckPtOptions & CaseOptions,
  report: () => Promise<Report>,
): CheckCase[] {
  return probes
    .filter(({ slow = false }) => !(slow && skipSlow))
    .flatMap(({ ids, title }) => ids.filter((id) => only?.includes(id) ?? true).map((id) => ({ id, title })))
    .map(({ id, title }) => ({
      name: `${role} ${id}: ${title}`,
      run: async () => {
        const { results, absent, transports } = await report()
        if (absent.includes(role)) throw new Error(absence(role, transports[role]))
        const result = results.find((one) => one.role === role && one.id === id && one.title === title)
        if (result === undefined) throw new Error(`the check says nothing of ${id}: the program is no ${role}`)
        if (exitStatus([result], strict) === 1) throw new Error(breachOf(result))
        return result
      },
    }))
}

function breachOf(result: Result): string {
  const { sent = '', expected = '', seen = '' } = result.steps.at(-1) ?? {}
  const words = `${weightOf(result)}: ${result.draft || result.says} (${result.section})`
  return [words, `sent: ${sent}`, `expected: ${expected}`, `seen: ${seen}`].join('\n')
}
