/** A report for people at a terminal: what is broken in full, the rest in a line each. */
import type { Report, Result, Role } from '../verdict.ts'
import { absence, breaches, verdicts, weightOf } from '../verdict.ts'

const words = { error: 'BROKEN', warning: 'warning', advice: 'advice' } as const

/** Writes the table; with `verbose` also what was seen if a statement is kept. */
export function formatText(report: Report, verbose = false): string {
  const roles = (['client', 'server'] as const).filter((role) => report.results.some((result) => result.role === role))
  const tables = roles.map((role) => tableOf(report, role, verbose))
  return [headOf(report), ...tables, summaryOf(report)].join('\n')
}

function headOf({ title, command, subject, transports, date }: Report): string {
  const tried = Object.entries(transports).map(([role, name]) => `${role} of ${name}`)
  const name = title === '' ? '' : `${title}, on ${date.slice(0, 16).replace('T', ' ')} UTC\n`
  return `${name}${command.join(' ')}: ${subject === 'pt' ? 'a PT, ' : 'a parent, '}${tried.join(', ')}\n`
}

function tableOf({ results }: Report, role: Role, verbose: boolean): string {
  const own = results.filter((result) => result.role === role)
  const width = Math.max(...own.map(({ id }) => id.length))
  const lines: string[] = []
  for (const result of own) {
    const word = result.verdict === 'broken' ? words[weightOf(result)] : verdicts[result.verdict]
    const why = result.why === '' ? '' : ` (${result.why})`
    lines.push(`  ${result.id.padEnd(width)}  ${word.padEnd(14)}  ${result.title}${why}`)
    if (result.verdict === 'broken' || verbose) lines.push(...detailsOf(result))
  }
  return [role.toUpperCase(), ...lines, ''].join('\n')
}

function detailsOf({ level, says, draft, section, verdict, steps }: Result): string[] {
  const shown = verdict === 'broken' ? steps.slice(-1) : steps
  const pairs = shown.flatMap(({ sent, expected, seen }) => [
    ['sent', sent],
    ['expected', expected],
    ['seen', seen],
  ])
  const rests =
    draft === ''
      ? [['rests on', `${says} (${section})`]]
      : [
          ['rests on', `"${draft}" (${section})`],
          ['read as', `${level}: ${says}`],
        ]
  const rows = [...rests, ...pairs]
  return rows.map(
    ([name = '', text = '']) => `      ${name.padEnd(8)}  ${text.replaceAll('\n', `\n${' '.repeat(16)}`)}`,
  )
}

/** Writes one line of counts, and one for what was left out. */
function summaryOf({ results, skipped, duration, absent, transports }: Report): string {
  const count = (verdict: string): number => results.filter((result) => result.verdict === verdict).length
  const { error, warning, advice } = breaches(results)
  const parts = [
    `${count('kept')} kept`,
    `${error.length} broken`,
    `${warning.length} warnings`,
    `${advice.length} pieces of advice`,
    `${count('notApplicable')} not applicable`,
    `${count('unknown')} could not tell`,
  ]
  const left = skipped.length === 0 ? '' : `Left out, as they wait out a time limit: ${skipped.join('; ')}\n`
  const none = absent.map((role) => `BROKEN: ${absence(role, transports[role])}\n`).join('')
  return `${left}${none}${parts.join(', ')}; ${(duration / 1000).toFixed(1)} s\n`
}
