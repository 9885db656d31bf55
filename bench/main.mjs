// npm run bench: our PT beside obfs4proxy, as README.md says. `npm run bench -- --help` lists the options.
import { availableParallelism } from 'node:os'
import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { build, install } from '../scripts/setup.mjs'
import { candidates, OURS, PEER, readCandidate, versionOf } from './candidates.mjs'
import { drawChart, gains } from './chart.mjs'
import { exitOnSignals, fileLimit, makeFolder } from './children.mjs'
import { compile } from './compile.mjs'
import { help, readFlags } from './flags.mjs'
import { estimateGrowth, formatGrowth, measureGrowth } from './growth.mjs'
import { describeMachine } from './machine.mjs'
import { metrics } from './metrics/index.mjs'
import { estimate, plan } from './plan.mjs'
import { formatReport } from './report.mjs'
import { runCases } from './run.mjs'
import { mostConnections } from './settings.mjs'

const say = (line) => process.stderr.write(`${line}\n`)

async function main() {
  const flags = readFlags(process.argv.slice(2))
  if (flags.help) {
    process.stdout.write(help)
    return
  }
  requireMachine(flags)
  exitOnSignals()
  const extra = flags.extra.map(readCandidate)
  const { loadgen, relay } = compile(makeFolder())
  if (flags.build) {
    install()
    await build()
  }
  const all = [...candidates({ relay, peer: flags.obfs4proxy, successor: flags.lyrebird }), ...extra]
  const find = (name) => all.find((candidate) => candidate.name === name)
  const bench = { flags, loadgen, find, extra: extra.map(({ name }) => name) }
  const run = flags.growth ? await grow(bench) : await compare(bench)
  if (run.failures.length > 0) process.exitCode = 1
  if (run.noisy.length > 0) say(`Not quiet: others used the CPU in ${run.noisy.length} cases. Do not publish this run.`)
}

function requireMachine({ obfs4proxy, lyrebird }) {
  if (process.platform !== 'linux') throw new Error('it reads /proc and pins processes, and runs on Linux only')
  if (availableParallelism() < 2) throw new Error('it needs two cores, one for each end')
  requireProgram(obfs4proxy, 'install it (Debian: apt install obfs4proxy) or name it with --obfs4proxy')
  requireProgram(lyrebird, 'bring it by `npm run peers` or name it with --lyrebird')
}

function requireProgram(path, advice) {
  if (versionOf([path]) === undefined) throw new Error(`${path} does not run: ${advice}`)
}

/** All metrics, side by side. */
async function compare({ flags, loadgen, find, extra }) {
  const { transports, settings } = flags
  const notes = []
  settings.held = withinLimit(settings.held, notes)
  const cases = plan({ transports, metrics: flags.metrics, extra, settings })
  say(`${cases.length} cases: about ${Math.ceil(estimate(cases, settings) / 60)} minutes`)
  const nameOf = ({ rep, transport, pinned, metric, candidate }) =>
    `${transport}${pinned ? '' : ' unpinned'} ${metric}: ${candidate} (repetition ${rep + 1})`
  const measure = async (one, add) => {
    const { transport, pinned, metric, candidate } = one
    const parts = { loadgen, candidate: find(candidate), transport, pinned }
    await metrics[metric](parts, settings, (...figures) => {
      for (const figure of figures) add({ ...one, ...figure })
    })
  }
  const { results: samples, ...rest } = await runCases(cases, nameOf, measure, say)
  const { reps, windowSeconds } = settings
  const run = { machine: describeMachine(flags), command: flags.command, reps, windowSeconds, notes, ...rest, samples }
  const sections = gains(samples)
  const chart = sections.length > 0 ? flags.out?.replace(/(?:\.md)?$/, '.svg') : undefined
  publish(run, flags, () => formatReport(run, chart && basename(chart)))
  if (chart) writeFileSync(chart, drawChart(sections, captionOf(run)))
  return run
}

function captionOf({ machine, reps }) {
  const { date, machine: cores, node } = machine
  return [
    `Bars: medians of ${reps}, to the right where ours is better; lines: all repetitions; the scale is logarithmic`,
    `${date}, ${cores}, Node ${node}`,
  ]
}

/** How cost grows with the number of connections. */
async function grow({ flags, loadgen, find, extra }) {
  const { reps, growth } = flags.settings
  const [transport] = flags.transports
  const notes = []
  const counts = [...new Set(growth.map((count) => withinLimit(count, notes)))]
  const names = [PEER, OURS, ...extra]
  const cases = Array.from({ length: reps }, (_, rep) =>
    counts.flatMap((connections) => names.map((candidate) => ({ rep, candidate, connections }))),
  ).flat()
  say(`${cases.length} cases: about ${Math.ceil((reps * names.length * estimateGrowth(counts)) / 60)} minutes`)
  const nameOf = ({ rep, candidate, connections }) => `${connections} connections: ${candidate} (repetition ${rep + 1})`
  const measure = async ({ candidate, connections }, add) => {
    const options = { loadgen, candidate: find(candidate), transport, pinned: true }
    add({ candidate, connections, values: await measureGrowth(options, connections) })
  }
  const { results: samples, ...rest } = await runCases(cases, nameOf, measure, say)
  const run = { machine: describeMachine(flags), command: flags.command, transport, reps, notes, ...rest, samples }
  publish(run, flags, () => formatGrowth(run))
  return run
}

/** The samples first: they are there whatever becomes of the report. */
function publish(run, { json, out }, format) {
  if (json) writeFileSync(json, `${JSON.stringify(run, undefined, 1)}\n`)
  const report = format()
  process.stdout.write(report)
  if (out) writeFileSync(out, report)
}

/** As many connections as files may be open for, with a note where that is fewer than wanted. */
function withinLimit(wanted, notes) {
  const limit = fileLimit()
  const most = mostConnections(limit)
  if (wanted <= most) return wanted
  const [some, all] = [most, wanted].map((count) => count.toLocaleString('en-US'))
  notes.push(
    `${some} connections in place of ${all}: a PT has two files open for each, and \`ulimit -Hn\` is ${limit}.`,
  )
  say(notes.at(-1))
  return most
}

try {
  await main()
} catch (error) {
  say(`bench: ${error.message}`)
  process.exitCode = 1
}
