/** A report as JUnit XML, for CI: a suite for each role, a case for each statement. */
import type { Report, Result, Role } from '../verdict.ts'
import { absence, weightOf } from '../verdict.ts'

/** With `strict`, a broken SHOULD is a failure too; without, it is a case that passed with a note. */
export function formatJunit(report: Report, strict = false): string {
  const roles = (['client', 'server'] as const).filter((role) => report.results.some((result) => result.role === role))
  const suites = roles.map((role) => {
    const own = report.results.filter((result) => result.role === role)
    const none = report.absent.includes(role) ? absenceOf(report, role) : ''
    const failures = own.filter((result) => fails(result, strict)).length + (none === '' ? 0 : 1)
    const skipped = own.filter(({ verdict }) => verdict === 'notApplicable' || verdict === 'unknown').length
    const counts = `tests="${own.length + (none === '' ? 0 : 1)}" failures="${failures}" errors="0" skipped="${skipped}"`
    const name = `${role} ${report.transports[role] ?? ''}`.trim()
    const cases = none + own.map((result) => caseOf(result, strict)).join('')
    return `  <testsuite name="${escapeXml(name)}" ${counts} timestamp="${report.date}">\n${cases}  </testsuite>\n`
  })
  const name = escapeXml(report.title || `postern check ${report.subject} ${report.command.join(' ')}`)
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="${name}">\n${suites.join('')}</testsuites>\n`
}

function fails(result: Result, strict: boolean): boolean {
  const weight = weightOf(result)
  return result.verdict === 'broken' && (weight === 'error' || (strict && weight === 'warning'))
}

function absenceOf({ transports }: Report, role: Role): string {
  const message = escapeXml(absence(role, transports[role]))
  return `    <testcase classname="${role}" name="it is a PT">\n      <failure message="${message}"/>\n    </testcase>\n`
}

function caseOf(result: Result, strict: boolean): string {
  const name = escapeXml(`${result.id}: ${result.title}`)
  const head = `    <testcase classname="${result.role}" name="${name}" time="${(result.duration / 1000).toFixed(3)}"`
  const text = result.steps
    .slice(-1)
    .map(({ sent, expected, seen }) => `sent: ${sent}\nexpected: ${expected}\nseen: ${seen}`)
  const draft = result.draft === '' ? '' : ` The draft: "${result.draft}"`
  const says = escapeXml(`${result.level}: ${result.says} (${result.section})${draft}`)
  if (fails(result, strict))
    return `${head}>\n      <failure message="${says}">${escapeXml(text.join(''))}</failure>\n    </testcase>\n`
  if (result.verdict === 'broken')
    return `${head}>\n      <system-out>${says}\n${escapeXml(text.join(''))}</system-out>\n    </testcase>\n`
  if (result.verdict === 'kept') return `${head}/>\n`
  return `${head}>\n      <skipped message="${escapeXml(result.why)}"/>\n    </testcase>\n`
}

/** Text for XML and HTML, in attributes too. Control characters have no place in either. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/gu, '?')
}
