/** A report as one HTML page without anything from elsewhere, for a browser and for print. */
import type { Report, Result, Role, Step } from '../verdict.ts'
import { breaches, verdicts, weightOf } from '../verdict.ts'
import { escapeXml } from './junit.ts'

const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --bad: #b3261e; --warn: #8a5a00; --good: #1b6e3c; --note: #5b5b66 }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --warn: #ffc46b; --good: #7fd6a2; --note: #a9a9b6 } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem }
.sub, .where { color: var(--note) } code, pre { font: 13px/1.45 ui-monospace, monospace }
.counts { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; list-style: none }
.counts li { border: 1px solid var(--line); border-radius: .5rem; padding: .3rem .8rem }
.counts b { font-size: 1.2rem; margin-right: .3rem }
details { border-top: 1px solid var(--line) } details:last-of-type { border-bottom: 1px solid var(--line) }
summary { display: grid; grid-template-columns: 6rem 8rem 1fr; gap: .5rem; padding: .45rem .25rem; cursor: pointer }
summary:hover { background: var(--soft) } .id { font-weight: 600 }
.error { color: var(--bad); font-weight: 600 } .warning { color: var(--warn); font-weight: 600 }
.advice { color: var(--warn) } .kept { color: var(--good) } .notApplicable, .unknown { color: var(--note) }
.body { padding: 0 .25rem 1rem } blockquote { margin: .3rem 0 1rem; padding-left: 1rem; border-left: 3px solid var(--line) }
dl { display: grid; grid-template-columns: 6rem 1fr; gap: .2rem .5rem; margin: .5rem 0 }
dt { color: var(--note) } dd { margin: 0; min-width: 0 } pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
@media (max-width: 40rem) { summary { grid-template-columns: 5rem 1fr } summary span:last-child { grid-column: 1 / -1 } dl { grid-template-columns: 1fr } }
@media print { :root { color-scheme: light } body { margin: 0; max-width: none; font-size: 10pt } details { break-inside: avoid } summary { list-style: none } }
`

/** What is broken stands open; all else opens on a click, and what is closed prints as its line. */
export function formatHtml(report: Report): string {
  const title = `${report.command.join(' ')}: does it keep the specification?`
  const roles = (['client', 'server'] as const).filter((role) => report.results.some((result) => result.role === role))
  const sections = roles.map((role) => sectionOf(report, role)).join('\n')
  const left = report.skipped.map((name) => escapeXml(name)).join('; ')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>Pluggable Transports conformance</h1>
<p class="sub"><code>${escapeXml(report.command.join(' '))}</code><br>
checked as a ${report.subject === 'pt' ? 'PT' : 'parent'} on ${report.date.slice(0, 16).replace('T', ' ')} UTC, in ${(report.duration / 1000).toFixed(1)} s</p>
${countsOf(report)}
${left === '' ? '' : `<p class="sub">Left out, as they wait out a time limit: ${left}</p>`}
${sections}
</body>
</html>
`
}

function countsOf({ results }: Report): string {
  const { error, warning, advice } = breaches(results)
  const count = (verdict: string): number => results.filter((result) => result.verdict === verdict).length
  const items: [string, string, number][] = [
    ['error', 'broken', error.length],
    ['warning', 'warnings', warning.length],
    ['advice', 'pieces of advice', advice.length],
    ['kept', 'kept', count('kept')],
    ['notApplicable', 'not applicable', count('notApplicable')],
    ['unknown', 'could not tell', count('unknown')],
  ]
  return `<ul class="counts">${items.map(([kind, word, number]) => `<li><b class="${kind}">${number}</b>${word}</li>`).join('')}</ul>`
}

function sectionOf({ results, transports }: Report, role: Role): string {
  const own = results.filter((result) => result.role === role)
  const title = `${role === 'client' ? 'Client' : 'Server'}${transports[role] === undefined ? '' : ` of ${transports[role]}`}`
  return `<section>\n<h2>${escapeXml(title)}</h2>\n${own.map((result) => detailsOf(result)).join('\n')}\n</section>`
}

function detailsOf(result: Result): string {
  const broken = result.verdict === 'broken'
  const kind = broken ? weightOf(result) : result.verdict
  const word = broken ? (kind === 'error' ? 'broken' : kind) : verdicts[result.verdict]
  const steps = broken ? result.steps.slice(-1) : result.steps
  const level = result.level === 'ADVICE' ? 'Advice' : result.level
  const why = result.why === '' ? '' : `<p>${escapeXml(result.why)}</p>`
  return `<details${broken && kind !== 'advice' ? ' open' : ''}>
<summary><span class="id">${result.id}</span><span class="${kind}">${word}</span><span>${escapeXml(result.title)}</span></summary>
<div class="body"><blockquote>${escapeXml(result.says)} <span class="where">(${level}, ${escapeXml(result.section)})</span></blockquote>
${why}${steps.map((step) => stepOf(step)).join('\n')}</div>
</details>`
}

function stepOf({ sent, expected, seen }: Step): string {
  const row = (name: string, text: string): string => `<dt>${name}</dt><dd><pre>${escapeXml(text)}</pre></dd>`
  return `<dl>${row('sent', sent)}${row('expected', expected)}${row('seen', seen)}</dl>`
}
