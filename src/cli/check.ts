/**
 * `postern check`: does a PT keep the specification, or a parent? docs/check.md is the guide.
 *
 *     postern check pt -- obfs4proxy
 *     postern check parent -- ./start-my-parent {pt}
 */
import { writeFileSync } from 'node:fs'
import type { CheckPtOptions, Progress, Report, Role } from '../check/index.ts'
import {
  checkParent,
  checkPt,
  exitStatus,
  formatHtml,
  formatJson,
  formatJunit,
  formatText,
  statementOf,
} from '../check/index.ts'
import { parseArguments, UsageError } from './usage.ts'
import { packageVersion } from './version.ts'

const help = `Usage: postern check pt [options] -- EXECUTABLE [ARGUMENT …]
       postern check parent [options] -- COMMAND …

Starts a PT, or the parent of one, again and again, drives it from outside, and says which requirements of the specification
it keeps. In the command of a parent, {pt} stands for the PT that it is to launch, and {dir} for an empty folder:

  postern check parent -- tor --DataDirectory {dir} --SocksPort 0 --UseBridges 1 --Bridge 'a 192.0.2.1:1 k=v' \\
    --ClientTransportPlugin 'a exec {pt}'

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
  if (subject !== 'pt' && subject !== 'parent') throw new UsageError('check: expected "check pt" or "check parent"')
  if (exec.length === 0) throw new UsageError(`check ${subject}: no command; it stands behind --`)
  if (subject === 'pt') return tell(await checkPt({ ...optionsOf(values), exec }), values)
  const { only, skipSlow, patience = 0, env = {}, onProgress } = optionsOf(values)
  const common = { only, skipSlow, env, onProgress, patience: 2 * patience }
  return tell(await checkParent({ ...common, exec, node: process.execPath }), values)
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
