// The command line of `npm run bench`.
import { parseArgs } from 'node:util'
import { lyrebird } from './candidates.mjs'
import { metrics } from './metrics/index.mjs'
import { apart, transports } from './plan.mjs'
import { full, quick } from './settings.mjs'

export const help = `Usage: npm run bench -- [options]

Measures our PT beside obfs4proxy, lyrebird and a plain relay in C, all on 127.0.0.1, in one interleaved run.

  --quick             shorter windows, three repetitions: about twelve minutes instead of 35
  --growth            instead: how cost grows from 1 to 10,000 connections
  --transport NAME    ${transports.join(', ')}; may be given several times (default: all)
  --metric NAME       ${Object.keys(metrics).join(', ')}; several times
                      (default: all but ${Object.keys(apart).join(', ')}, which have runs of their own)
  --reps N            repetitions, each with fresh processes
  --with NAME=COMMAND one more PT to measure, such as another build of ours; several times
  --obfs4proxy PATH   where it is, if not in PATH
  --lyrebird PATH     the same for it; by default where npm run peers puts it
  --json FILE         every sample, for a comparison of one's own
  --out FILE          the tables as Markdown, with the chart beside it as FILE.svg
                      (default for a run of everything: bench/RESULTS.md, for --growth: bench/GROWTH.md)
  --no-build          measures dist/ as it is
  --help
`

/** @type {const} */
const options = {
  quick: { type: 'boolean', default: false },
  growth: { type: 'boolean', default: false },
  transport: { type: 'string', multiple: true, default: [] },
  metric: { type: 'string', multiple: true, default: [] },
  reps: { type: 'string' },
  with: { type: 'string', multiple: true, default: [] },
  obfs4proxy: { type: 'string', default: 'obfs4proxy' },
  lyrebird: { type: 'string', default: lyrebird },
  json: { type: 'string' },
  out: { type: 'string' },
  'no-build': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
}

/**
 * What a command line asks for. Throws an error with one line for what it cannot mean.
 * @param {readonly string[]} argv without the program
 */
export function readFlags(argv) {
  const { values } = parseArgs({ args: [...argv], options })
  const settings = { ...(values.quick ? quick : full) }
  if (values.growth) settings.reps = values.quick ? 1 : 3
  if (values.reps !== undefined) {
    if (!/^[1-9]\d?$/.test(values.reps)) throw new Error(`--reps ${values.reps}: expected a number from 1 to 99`)
    settings.reps = settings.sideReps = settings.memoryReps = settings.otherMemoryReps = Number(values.reps)
  }
  if (values.growth && values.transport.length > 1) throw new Error('--growth takes one --transport')
  if (values.growth && values.metric.length > 0)
    throw new Error('--growth has metrics of its own, and takes no --metric')
  const everything = values.transport.length === 0 && values.metric.length === 0
  return {
    help: values.help,
    command: ['npm run bench', ...(argv.length > 0 ? ['--', ...argv] : [])].join(' '),
    growth: values.growth,
    transports: chosen('--transport', values.transport, transports),
    metrics: chosen('--metric', values.metric, Object.keys(metrics)).filter(
      (name) => values.metric.length > 0 || !(name in apart),
    ),
    settings,
    extra: values.with,
    obfs4proxy: values.obfs4proxy,
    lyrebird: values.lyrebird,
    json: values.json,
    out: values.out ?? (everything ? `bench/${values.growth ? 'GROWTH' : 'RESULTS'}.md` : undefined),
    build: !values['no-build'],
  }
}

/** In the order of `all`, whatever the order of the flags. */
function chosen(flag, names, all) {
  const words = names.flatMap((name) => name.split(','))
  const unknown = words.find((name) => !all.includes(name))
  if (unknown !== undefined) throw new Error(`${flag} ${unknown}: expected one of ${all.join(', ')}`)
  return words.length === 0 ? [...all] : all.filter((name) => words.includes(name))
}
