/** A report as one HTML page without anything from elsewhere, for a browser and for print. */
import type { Report, Result, Role, Step } from '../verdict.ts'
import { absence, breaches, verdicts, weightOf } from '../verdict.ts'
import { escapeXml } from './junit.ts'

const style = `
:root { color-scheme: light dark; --line: #0002; --soft: #0000000a; --bad: #b3261e; --warn: #855300; --good: #1b6e3c; --note: #5b5b66 }
@media (prefers-color-scheme: dark) { :root { --line: #fff3; --soft: #ffffff12; --bad: #ff8a80; --warn: #ffc46b; --good: #7fd6a2; --note: #b0b0bd } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem }
a { color: inherit } .sub, .place { color: var(--note) } .sub { margin: .4rem 0 } code, pre { font: 13px/1.45 ui-monospace, monospace }
.counts { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; list-style: none }
.counts li { border: 1px solid var(--line); border-radius: .5rem; padding: .3rem .8rem }
.counts b { font-size: 1.2rem; margin-right: .4rem } .todo { padding-left: 1.2rem } .todo li { margin: .2rem 0 }
details { border-top: 1px solid var(--line) } details:last-of-type { border-bottom: 1px solid var(--line) }
summary { display: grid; grid-template-columns: 1rem 5.5rem 8rem 1fr; gap: .5rem; padding: .45rem .25rem; cursor: pointer; list-style: none }
summary::-webkit-details-marker { display: none } summary::before { content: '+'; color: var(--note); font-weight: 400 }
details[open] > summary::before { content: '\\2212' } summary:hover { background: var(--soft) }
.id { font-weight: 600 } .error, .warning { font-weight: 600 } .error { color: var(--bad) } .warning, .advice { color: var(--warn) }
.kept { color: var(--good) } .notApplicable, .unknown { color: var(--note) }
.body { padding: 0 .25rem 1rem 2rem } blockquote { margin: .3rem 0 .6rem; padding-left: 1rem; border-left: 3px solid var(--line) }
.body > p { margin: .3rem 0 .6rem } dl { display: grid; grid-template-columns: 6rem 1fr; gap: .2rem .5rem; margin: .6rem 0; padding: .5rem .75rem; background: var(--soft); border-radius: .4rem }
dt { color: var(--note) } dd { margin: 0; min-width: 0 } pre { margin: .15rem 0; white-space: pre-wrap }
@media (max-width: 40rem) {
  summary { grid-template-columns: 1rem 5.5rem 1fr } summary span:last-child { grid-column: 2 / -1 }
  .body { padding-left: .25rem } dl { grid-template-columns: 1fr }
}
@media print {
  @page { margin: 15mm }
  :root { color-scheme: light; --line: #0003; --soft: #0000; --bad: #b3261e; --warn: #855300; --good: #1b6e3c; --note: #444 }
  body { margin: 0; padding: 0; max-width: none; font-size: 9.5pt; line-height: 1.35 } code, pre { font-size: 8pt }
  h2, summary { break-after: avoid } dl, blockquote { break-inside: avoid } .counts li { padding: .1rem .5rem }
  summary { padding: .15rem 0; grid-template-columns: 5rem 7rem 1fr } summary::before { display: none } .body { padding: 0 0 .5rem 1rem }
  summary span:last-child { grid-column: auto } dl { grid-template-columns: 5rem 1fr; border: 1px solid var(--line); padding: .3rem .5rem }
}
`

/** What is broken stands open; all else opens on a click, and what is closed prints as its line. */
export function formatHtml(report: Report): string {
  const command = report.command.join(' ')
  const heading = report.title === '' ? 'Pluggable Transports conformance' : report.title
  const roles = (['client', 'server'] as const).filter((role) => report.results.some((result) => result.role === role))
  const sections = roles.map((role) => sectionOf(report, role)).join('\n')
  const left = report.skipped.map((name) => escapeXml(name)).join('; ')
  const date = report.date.slice(0, 16).replace('T', ' ')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(report.title === '' ? command : report.title)}: does it keep the specification?</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeXml(heading)}</h1>
<p class="sub"><code>${escapeXml(command)}</code></p>
<p class="sub">Does this ${report.subject === 'pt' ? 'PT' : 'parent'} keep the Pluggable Transports specification? Checked on ${date} UTC, in ${(report.duration / 1000).toFixed(1)} s.</p>
${countsOf(report)}
${todoOf(report)}
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

/** What there is to mend, with links to it. */
function todoOf({ results, absent, transports }: Report): string {
  const { error, warning } = breaches(results)
  const none = absent.map((role) => `<li><span class="error">${escapeXml(absence(role, transports[role]))}</span></li>`)
  const mends = [...error, ...warning].map((result) => {
    const link = `<a href="#${anchorOf(result)}">${result.id}</a>`
    return `<li><span class="${weightOf(result)}">${link}</span> ${escapeXml(result.title)} <span class="place">(${result.role})</span></li>`
  })
  const items = [...none, ...mends]
  return items.length === 0 ? '' : `<ul class="todo">\n${items.join('\n')}\n</ul>`
}

function anchorOf({ role, id }: Result): string {
  return `${role}-${id}`
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
  const why = result.why === '' ? '' : `<p>${escapeXml(result.why)}</p>`
  return `<details id="${anchorOf(result)}"${broken && kind !== 'advice' ? ' open' : ''}>
<summary><span class="id">${result.id}</span><span class="${kind}">${word}</span><span>${escapeXml(result.title)}</span></summary>
<div class="body">${restsOn(result)}
${why}${steps.map((step) => stepOf(step)).join('\n')}</div>
</details>`
}

/** The draft's sentence with ours below it; of a trap the draft says nothing. */
function restsOn({ level, draft, says, section }: Result): string {
  const where = `<span class="place">(${escapeXml(section)})</span>`
  if (draft === '') return `<blockquote>${escapeXml(says)} ${where}</blockquote>`
  return `<blockquote>${escapeXml(draft)} ${where}</blockquote>\n<p>Read as: ${escapeXml(says)} <span class="place">(${level})</span></p>`
}

function stepOf({ sent, expected, seen }: Step): string {
  const row = (name: string, text: string): string => `<dt>${name}</dt><dd><pre>${escapeXml(text)}</pre></dd>`
  return `<dl>${row('sent', sent)}${row('expected', expected)}${row('seen', seen)}</dl>`
}
