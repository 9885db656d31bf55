/** A report as JSON: the Report itself, with the counts and the exit status that follow from it. */
import type { Report } from '../verdict.ts'
import { breaches, exitStatus } from '../verdict.ts'

/** Writes a report as JSON. */
export function formatJson(report: Report, strict = false): string {
  const { error, warning, advice } = breaches(report.results)
  const counts = { errors: error.length, warnings: warning.length, advice: advice.length }
  return `${JSON.stringify({ ...report, ...counts, exitStatus: exitStatus(report, strict) }, undefined, 2)}\n`
}
