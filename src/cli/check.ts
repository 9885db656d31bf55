/**
 * `postern check`: does a PT keep the specification, or a parent? docs/check.md is the guide.
 *
 *     postern check pt -- obfs4proxy
 *     postern check parent -- ./start-my-parent {pt}
 */
import { writeFileSync } from 'node:fs'
import type { CheckPtOptions, Progress, Report, Role } from '../check/index.ts'
import { checkPt, exitStatus, formatHtml, formatJson, formatJunit, formatText, statementOf } from '../check/index.ts'
import { parseArguments, UsageError } from './usage.ts'
import { packageVersion } from './version.ts'

const help = `Usage: postern check pt [options] -- EXECUTABLE [ARGUMENT …]

Starts the executable again and again, drives it from outside, and says which requirements of the specification it keeps.

Options:
  --client, --server  this role only; by default those that it has
  --transport NAME    the transport to try; by default the first that it has of the known names
  --peer COMMAND      another program for the other end, where it has one role only
  --args 'K=V;K=V'    arguments that its client needs besides those of SMETHOD
  --only ID[,ID]      these requirements only
  --skip-slow         leaves out what waits out a time limit
  --patience SECONDS  how long a start or an answer may take (10)
  --strict            a broken SHOULD fails too
  --verbose           shows what was seen where a requirement is kept, too
  --json              prints JSON instead of the table
  --junit FILE        also writes JUnit XML
  --html FILE         also writes an HTML page
  --help, --version

Exit status: 0 nothing is broken, 1 something is (warnings and advice do not count), 2 for a wrong command line.
`

const options = {
  client: { type: 'boolean' },
  server: { type: 'boolean' },
  transport: { type: 'string' },
  peer: { type: 'string' },
  args: { type: 'string' },
  only: { type: 'string' },
  'skip-slow': { type: 'boolean' },
  patience: { type: 'string' },
  strict: { type: 'boolean' },
  verbose: { type: 'boolean' },
  json: { type: 'boolean' },
  junit: { type: 'string' },
  html: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const

type Values = ReturnType<typeof read>['values']

/** Checks, prints, and gives the exit status. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = read(argv)
  if (values.help === true || values.version === true) {
    process.stdout.write(values.help === true ? help : `postern ${packageVersion()}\n`)
    return 0
  }
  const [subject, ...exec] = positionals
  if (subject !== 'pt') throw new UsageError(`check ${subject ?? 'what'}? There is: postern check pt -- EXECUTABLE`)
  if (exec.length === 0) throw new UsageError('check pt: no executable; it stands behind --')
  const report = await checkPt({ ...optionsOf(values), exec })
  return tell(report, values)
}

function read(argv: readonly string[]) {
  return parseArguments({ args: [...argv], options, allowPositionals: true })
}

function optionsOf(values: Values): Omit<CheckPtOptions, 'exec'> {
  const roles = (['client', 'server'] as const).filter((role: Role) => values[role] === true)
  const only = values.only?.split(',')
  const unknown = only?.filter((id) => statementOf(id) === undefined) ?? []
  if (unknown.length > 0) throw new UsageError(`--only ${unknown.join(',')}: no such requirement`)
  const patience = Number(values.patience ?? 10)
  if (!(patience > 0)) throw new UsageError(`--patience ${values.patience}: expected a number of seconds`)
  return {
    roles,
    transport: values.transport,
    peer: values.peer?.split(' '),
    args: values.args,
    only,
    skipSlow: values['skip-slow'],
    patience: patience * 1000,
    env: process.env,
    onProgress: process.stderr.isTTY ? showProgress : undefined,
  }
}

function showProgress({ done, total, title }: Progress): void {
  process.stderr.write(`\r\x1b[K${done < total ? `${done}/${total} ${title}` : ''}`)
}

function tell(report: Report, values: Values): number {
  const { strict = false } = values
  if (values.junit !== undefined) writeFileSync(values.junit, formatJunit(report, strict))
  if (values.html !== undefined) writeFileSync(values.html, formatHtml(report))
  process.stdout.write(values.json === true ? formatJson(report, strict) : formatText(report, values.verbose))
  return exitStatus(report.results, strict)
}
