// A run as Markdown: the machine, the goals, and a table for each transport.
import { NODE_TLS, order, OUR_SERVER, OUR_TLS, OURS, PEER, WEBTUNNEL_PEER } from './candidates.mjs'
import { judge } from './goals.mjs'
import { NOISY } from './noise.mjs'
import { compare, formatNumber, formatRatio, select, summarize } from './statistics.mjs'

/**
 * @typedef {object} Run
 * @property {Record<string, string>} machine
 * @property {string} command what was typed
 * @property {number} reps
 * @property {number} windowSeconds
 * @property {number} seconds how long it took
 * @property {number} others the share of all cores that others used
 * @property {{ case: string, others: number }[]} noisy the cases in which they used too much
 * @property {{ case: string, error: string }[]} failures
 * @property {string[]} notes
 * @property {import('./statistics.mjs').Sample[]} samples
 */

const verdicts = { aim: '✓ aim', must: '✓', missed: '✗ missed' }

/**
 * @param {Run} run
 * @param {string | undefined} chart the name of the chart's file, beside this one
 * @returns {string}
 */
export function formatReport(run, chart) {
  const blocks = [
    '# Benchmark: Postern beside obfs4proxy',
    `Written by \`${run.command}\`; [README.md](README.md) says what each figure means. ${run.reps} repetitions, interleaved, fresh processes each, windows of ${run.windowSeconds} s, ${Math.round(run.seconds / 60)} minutes.`,
    formatHead(run),
  ]
  if (chart) blocks.push(`![Ratios to obfs4proxy](${chart})`)
  const judged = judge(run.samples)
  if (judged.length > 0) blocks.push('## Goals', formatGoals(judged))
  blocks.push(
    '## Figures',
    'Medians, with the lowest and the highest of all repetitions. Ratios are of medians to obfs4proxy’s in this run, or to node:tls’s for TLS, and for meek to those of its client beside our server, and for webtunnel to lyrebird’s client with webtunnel-server; **bold** is the better one of ours and its.',
  )
  for (const { transport, pinned } of sections(run.samples)) {
    const title = pinned ? 'each end on a core of its own' : 'not pinned: the scheduler places all processes'
    blocks.push(`### ${transport}, ${title}`, formatFigures(select(run.samples, { transport, pinned })))
  }
  return `${blocks.join('\n\n')}\n`
}

/**
 * Machine and versions, and what went wrong. Shared with the report on growth.
 * @param {Pick<Run, 'machine' | 'others' | 'noisy' | 'failures' | 'notes'>} run
 */
export function formatHead({ machine, others, noisy, failures, notes }) {
  const list = Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`)
  list.push(`- CPU used by others: ${percent(others)}`)
  const blocks = [list.join('\n')]
  if (noisy.length > 0) {
    const cases = noisy.map((one) => `- ${one.case}: ${percent(one.others)}`)
    blocks.push(
      `**Warning: this machine was not quiet.** Others used more than ${percent(NOISY)} of all cores during:`,
      cases.join('\n'),
    )
  }
  if (failures.length > 0) {
    const cases = failures.map((one) => `- ${one.case}: ${one.error.replaceAll(/\s+/g, ' ')}`)
    blocks.push('**These failed, and are missing below:**', cases.join('\n'))
  }
  if (notes.length > 0) blocks.push(notes.map((note) => `- ${note}`).join('\n'))
  return blocks.join('\n\n')
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`
}

function formatGoals(judged) {
  const rows = judged.map(({ name, better, must, aim, figure, measured, verdict }) => {
    const sign = better === 'more' ? '≥' : '≤'
    return [name, `${sign} ${must}`, `${sign} ${aim}`, formatRatio(measured), figure, verdicts[verdict]]
  })
  return table(['goal', 'must', 'aim', 'measured', 'its worst figure', ''], 'lrrrll', rows)
}

function sections(samples) {
  const seen = new Map(samples.map(({ transport, pinned }) => [`${transport} ${pinned}`, { transport, pinned }]))
  return [...seen.values()]
}

/** The candidates of which all ratios in a table are, by the first that was measured: a metric of its own may be without obfs4proxy. */
const compared = [
  [NODE_TLS, OUR_TLS],
  [WEBTUNNEL_PEER, OURS],
  [PEER, OURS],
  [OUR_SERVER, OURS],
]

function formatFigures(samples) {
  const measured = new Set(samples.map(({ candidate }) => candidate))
  const [peer, our] = compared.find(([peer]) => measured.has(peer)) ?? [PEER, OURS]
  const others = [...new Set([...order, ...measured])].filter(
    (name) => measured.has(name) && name !== peer && name !== our,
  )
  const figures = new Map(samples.map(({ name, unit, better }) => [name, { name, unit, better }]))
  const rows = [...figures.values()].map((figure) => {
    const of = (candidate) => select(samples, { candidate, name: figure.name })
    const [peers, ours] = [of(peer), of(our)]
    const ratio = compare(ours, peers)
    const wins = ratio && (figure.better === 'more' ? ratio.ratio > 1 : ratio.ratio < 1)
    const usual = [
      figure.name,
      `${figure.unit} ${figure.better === 'more' ? '↑' : '↓'}`,
      emphasize(cell(peers), ratio && !wins),
      emphasize(cell(ours), wins),
      ratio ? `${formatRatio(ratio.ratio)} ×` : '',
    ]
    return usual.concat(others.map((candidate) => cellWithRatio(of(candidate), peers)))
  })
  return table(['', 'unit', peer, our, 'ratio', ...others], `ll${'r'.repeat(3 + others.length)}`, rows)
}

function cell(samples) {
  const summary = summarize(samples.map(({ value }) => value))
  if (summary === undefined) return ''
  const spread = summary.count > 1 ? ` [${formatNumber(summary.min)}–${formatNumber(summary.max)}]` : ''
  return `${formatNumber(summary.median)}${spread}`
}

function cellWithRatio(samples, peers) {
  const summary = summarize(samples.map(({ value }) => value))
  const ratio = compare(samples, peers)
  return summary ? `${formatNumber(summary.median)}${ratio ? ` (${formatRatio(ratio.ratio)} ×)` : ''}` : ''
}

function emphasize(text, yes) {
  return yes && text !== '' ? text.replace(/^\S+/, (value) => `**${value}**`) : text
}

/**
 * A Markdown table.
 * @param {readonly string[]} head
 * @param {string} align one letter for each column: l or r
 * @param {readonly (readonly string[])[]} rows
 */
export function table(head, align, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(Array.from(align, (side) => (side === 'r' ? '--:' : '---'))), ...rows.map(line)].join('\n')
}
