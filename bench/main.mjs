// npm run bench: our PT beside obfs4proxy, as README.md says. `npm run bench -- --help` lists the options.
import { availableParallelism } from 'node:os'
import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { build, install } from '../scripts/setup.mjs'
import { candidates, OURS, PEER, versionOf } from './candidates.mjs'
import { drawChart, gains } from './chart.mjs'
import { fileLimit, makeFolder } from './children.mjs'
import { compile } from './compile.mjs'
import { help, readFlags } from './flags.mjs'
import { formatGrowth, measureGrowth } from './growth.mjs'
import { describeMachine } from './machine.mjs'
import { metrics } from './metrics/index.mjs'
import { plan } from './plan.mjs'
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
  const { loadgen, relay } = compile(makeFolder())
  if (flags.build) {
    install()
    build()
  }
  const all = candidates({ relay, peer: flags.obfs4proxy, extra: flags.extra })
  const byName = new Map(all.map((candidate) => [candidate.name, candidate]))
  const extra = [...byName.keys()].slice(-flags.extra.length || byName.size)
  const run = flags.growth
    ? await grow({ flags, loadgen, byName, extra })
    : await compare({ flags, loadgen, byName, extra })
  if (flags.json) writeFileSync(flags.json, `${JSON.stringify(run, undefined, 1)}\n`)
  if (run.failures.length > 0) process.exitCode = 1
  if (run.noisy.length > 0) say(`Not quiet: others used the CPU in ${run.noisy.length} cases. Do not publish this run.`)
}

function requireMachine({ obfs4proxy }) {
  if (process.platform !== 'linux')
    throw new Error('the benchmark reads /proc and pins processes: it runs on Linux only')
  if (availableParallelism() < 2) throw new Error('the benchmark needs two cores: each end has one of its own')
  if (versionOf([obfs4proxy]) === undefined) {
    throw new Error(
      `${obfs4proxy} cannot be run: install it (Debian: apt install obfs4proxy) or name it with --obfs4proxy`,
    )
  }
}

async function compare({ flags, loadgen, byName, extra }) {
  const settings = { ...flags.settings }
  const notes = []
  settings.held = withinLimit(settings.held, notes)
  const cases = plan({ ...flags, ...settings, extra })
  const nameOf = ({ rep, transport, pinned, metric, candidate }) =>
    `${transport}${pinned ? '' : ' unpinned'} ${metric}: ${candidate} (repetition ${rep + 1})`
  const measure = async (one) => {
    const { transport, pinned, metric, candidate } = one
    const figures = await metrics[metric]({ loadgen, candidate: byName.get(candidate), transport, pinned }, settings)
    return figures.map((figure) => Object.assign({}, one, figure))
  }
  const { results, ...rest } = await runCases(cases, nameOf, measure, say)
  const { reps, windowSeconds } = settings
  const run = {
    machine: describeMachine(flags),
    quick: flags.quick,
    reps,
    windowSeconds,
    notes,
    ...rest,
    samples: results,
  }
  const sections = gains(results)
  const chart = flags.out && sections.length > 0 ? flags.out.replace(/(?:\.md)?$/, '.svg') : undefined
  const report = formatReport(run, chart && basename(chart))
  process.stdout.write(report)
  if (flags.out) writeFileSync(flags.out, report)
  if (chart)
    writeFileSync(
      chart,
      drawChart(
        sections,
        `${run.machine.date}, ${run.machine.machine}, Node ${run.machine.node}; bars: medians, lines: all repetitions; logarithmic`,
      ),
    )
  return run
}

async function grow({ flags, loadgen, byName, extra }) {
  const { reps, growth } = flags.settings
  const [transport] = flags.transports
  const notes = []
  const counts = [...new Set(growth.map((count) => withinLimit(count, notes)))]
  const names = [PEER, OURS, ...extra]
  const cases = Array.from({ length: reps }, (_, rep) =>
    counts.flatMap((connections) => names.map((candidate) => ({ rep, candidate, connections }))),
  ).flat()
  const nameOf = ({ rep, candidate, connections }) => `${connections} connections: ${candidate} (repetition ${rep + 1})`
  const measure = async ({ candidate, connections }) => {
    const options = { loadgen, candidate: byName.get(candidate), transport, pinned: true }
    return [{ candidate, connections, values: await measureGrowth(options, connections) }]
  }
  const { results, ...rest } = await runCases(cases, nameOf, measure, say)
  const run = { machine: describeMachine(flags), transport, reps, notes, ...rest, samples: results }
  const report = formatGrowth(run)
  process.stdout.write(report)
  if (flags.out) writeFileSync(flags.out, report)
  return run
}

/** As many connections as files may be open for, with a note where that is fewer than wanted. */
function withinLimit(wanted, notes) {
  const limit = fileLimit()
  const most = mostConnections(limit)
  if (wanted <= most) return wanted
  const note = `${most.toLocaleString('en-US')} connections in place of ${wanted.toLocaleString('en-US')}: a PT has two files open for each, and the hard limit is ${limit} (ulimit -Hn)`
  notes.push(note)
  say(note)
  return most
}

try {
  await main()
} catch (error) {
  say(`bench: ${error.message}`)
  process.exitCode = 1
}
