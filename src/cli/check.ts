/**
 * `postern check`: does a PT keep the specification, or a parent? docs/check.md is the guide.
 *
 *     postern check pt -- obfs4proxy
 *     postern check parent -- ./start-my-parent {pt}
 */
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import type { CheckPtOptions, Progress, Report, Role } from '../check/index.ts'
import {
  checkParent,
  checkPt,
  exitStatus,
  formatHtml,
  formatJson,
  formatJunit,
  formatText,
  listProbes,
  statementOf,
} from '../check/index.ts'
import { isTransportName, parseClientArgs } from '../ipc/index.ts'
import { atFirstSignal } from './signals.ts'
import { printableJson, printableLines } from './printable.ts'
import { parseArguments, UsageError } from './usage.ts'
import { packageVersion } from './version.ts'

const help = `Usage: postern check pt [options] -- EXECUTABLE [ARGUMENT …]
       postern check parent [options] -- COMMAND …
       postern check pt|parent --list

Starts a PT, or the parent of one, again and again, drives it from outside, and says which requirements of the specification
it keeps. In the command of a parent, {pt} stands for the PT that it is to launch, and {dir} for an empty folder:

  postern check parent -- tor --DataDirectory {dir} --SocksPort 0 --UseBridges 1 --Bridge 'a 192.0.2.1:1 k=v' \\
    --ClientTransportPlugin 'a exec {pt}'

Options:
  --client, --server  this role only; by default those that it has
  --transport NAME    the transport to try; by default the first that it has of the known names
  --peer COMMAND      another program for the other end, if it has one role only
  --args 'K=V;K=V'    arguments that its client needs besides those of SMETHOD
  --options 'K=V;K=V' options that its server needs in order to launch
  --only ID[,ID]      these requirements only
  --skip-slow         leaves out what waits out a time limit: the probes that --list marks as slow
  --jobs NUMBER       how many probes run at a time (4)
  --patience SECONDS  how long a start or an answer may take (10)
  --strict            a broken SHOULD fails too
  --verbose           shows what was seen if a requirement is kept, too
  --json              prints JSON instead of the table
  --junit FILE        also writes JUnit XML
  --html FILE         also writes an HTML page
  --title TEXT        what is checked, and its version, for the heading of the reports
  --list              says which probes there are, and runs none
  --help, --version

Exit status: 0 nothing is broken, 1 something is (warnings and advice do not count), 2 for a wrong command line, 130 after
SIGINT and 143 after SIGTERM.
`

const options = {
  client: { type: 'boolean' },
  server: { type: 'boolean' },
  transport: { type: 'string' },
  peer: { type: 'string' },
  args: { type: 'string' },
  options: { type: 'string' },
  only: { type: 'string' },
  'skip-slow': { type: 'boolean' },
  jobs: { type: 'string' },
  patience: { type: 'string' },
  title: { type: 'string' },
  list: { type: 'boolean' },
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
  if (values.list === true) return list(subject)
  if (exec.length === 0) throw new UsageError(`check ${subject}: no command; it comes after --`)
  requireProgram(exec[0]!)
  for (const file of [values.junit, values.html]) if (file !== undefined) requireFolder(file)
  const settings = optionsOf(values)
  if (subject === 'pt') return await interruptible(values, (signal) => checkPt({ ...settings, exec, signal }))
  requireNone(values, ['client', 'server', 'transport', 'peer', 'args', 'options'])
  if (!exec.some((word) => word.includes('{pt}')))
    throw new UsageError('check parent: the command says nowhere {pt}, the PT that the parent is to launch')
  const { patience = 0 } = settings
  const parent = { ...settings, exec, patience: 2 * patience, node: process.execPath }
  return await interruptible(values, (signal) => checkParent({ ...parent, signal }))
}

/** The first SIGINT or SIGTERM ends all that the check has started, and then this process; a second one ends it at once. */
async function interruptible(values: Values, check: (signal: AbortSignal) => Promise<Report>): Promise<number> {
  const stop = new AbortController()
  const done = atFirstSignal(['SIGINT', 'SIGTERM'], (name) => {
    stop.abort(new Interrupted(128 + constants.signals[name]))
  })
  try {
    return tell(await check(stop.signal), values)
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}postern: interrupted; nothing is left behind\n`)
    return error.status
  } finally {
    done()
  }
}

class Interrupted extends Error {
  /** The exit status, as a shell gives it for a process that a signal has ended. */
  readonly status: number

  constructor(status: number) {
    super('interrupted')
    this.status = status
  }
}

function read(argv: readonly string[]) {
  return parseArguments({ args: [...argv], options, allowPositionals: true })
}

function optionsOf(values: Values): Omit<CheckPtOptions, 'exec'> {
  const roles = (['client', 'server'] as const).filter((role: Role) => values[role] === true)
  const only = values.only?.split(',')
  const unknown = only?.filter((id) => statementOf(id) === undefined) ?? []
  if (unknown.length > 0) throw new UsageError(`--only ${unknown.join(',')}: no such requirement`)
  const { transport, args, options: serverOptions, title } = values
  if (transport !== undefined && !isTransportName(transport))
    throw new UsageError(`--transport ${transport}: expected a letter or _, then letters, digits and _`)
  if (args !== undefined) requireArgs('args', args)
  if (serverOptions !== undefined) requireArgs('options', serverOptions)
  const peer = values.peer?.split(' ').filter((word) => word !== '')
  if (peer !== undefined) requireProgram(peer[0] ?? '', '--peer ')
  return {
    roles,
    transport,
    peer,
    args,
    options: serverOptions,
    only,
    title,
    skipSlow: values['skip-slow'],
    concurrency: numberOf('jobs', values.jobs ?? '4', (jobs) => Number.isInteger(jobs), 'a whole number of probes'),
    patience: 1000 * numberOf('patience', values.patience ?? '10', Number.isFinite, 'a number of seconds'),
    env: process.env,
    onProgress: process.stderr.isTTY ? showProgress : undefined,
  }
}

function numberOf(option: string, text: string, holds: (value: number) => boolean, expected: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0) || !holds(value))
    throw new UsageError(`--${option} ${text}: expected ${expected}`)
  return value
}

/** Throws if the program is not there, before anything is started. */
function requireProgram(program: string, where = ''): void {
  const folders = program.includes('/') ? [''] : (process.env['PATH'] ?? '').split(delimiter)
  const found = folders.some((folder) => {
    const path = join(folder, program)
    return existsSync(path) && statSync(path).isFile()
  })
  if (!found) throw new UsageError(`${where}${program || '""'}: there is no such program`)
}

function requireFolder(file: string): void {
  const folder = dirname(file)
  if (!existsSync(folder)) throw new UsageError(`${file}: there is no folder ${folder}`)
  if (existsSync(file) && statSync(file).isDirectory()) throw new UsageError(`${file}: this is a folder`)
}

function requireArgs(flag: string, args: string): void {
  try {
    parseClientArgs(args)
  } catch (error) {
    throw new UsageError(`--${flag} ${args}: ${(error as Error).message}`, { cause: error })
  }
}

function requireNone(values: Values, names: readonly (keyof Values)[]): void {
  const given = names.find((name) => values[name] !== undefined)
  if (given !== undefined) throw new UsageError(`check parent: --${given} is for "check pt"`)
}

function list(subject: 'pt' | 'parent'): number {
  const lines = listProbes(subject).map(
    ({ ids, role, title, slow }) => `${role}  ${ids.join(', ').padEnd(17)}  ${title}${slow ? ' (slow)' : ''}\n`,
  )
  process.stdout.write(lines.join(''))
  return 0
}

function showProgress({ done, total, title }: Progress): void {
  process.stderr.write(`\r\x1b[K${done < total ? `${done}/${total} ${title}` : ''}`)
}

function tell(report: Report, values: Values): number {
  const { strict = false } = values
  if (values.junit !== undefined) writeFileSync(values.junit, formatJunit(report, strict))
  if (values.html !== undefined) writeFileSync(values.html, formatHtml(report))
  const json = values.json === true
  process.stdout.write(
    json ? printableJson(formatJson(report, strict)) : printableLines(formatText(report, values.verbose)),
  )
  return exitStatus(report, strict)
}
