#!/usr/bin/env node
/**
 * The command line: one command each, loaded when it is run. Errors are one or two lines on stderr, never a stack trace.
 *
 *     postern            with TOR_PT_MANAGED_TRANSPORT_VER set: the same as `postern pt`
 *     postern pt …       the PT executable
 *     postern client …   tunnels for applications; server, run, bridge
 *
 * Exit status: the command's own; 1 for a failure, 2 for a command line that cannot be run.
 */
// This comes first: it notes which process started this one.
import '../pt/parent-process.ts'
import './no-inspector.ts'
import { printable } from './printable.ts'
import { isUsageError, USAGE, UsageError } from './usage.ts'

interface Command {
  readonly summary: string
  load(): Promise<{ run(argv: readonly string[]): Promise<number> }>
}

const commands: Readonly<Record<string, Command>> = {
  pt: { summary: 'runs pluggable transports for tor or another parent process', load: () => import('./pt.ts') },
  client: { summary: 'opens a local port that leads through a bridge', load: () => import('./client.ts') },
  server: { summary: 'runs a bridge in front of a service', load: () => import('./server.ts') },
  run: { summary: 'runs several tunnels of one file', load: () => import('./run.ts') },
  bridge: { summary: 'checks and tests bridge lines', load: () => import('./bridge.ts') },
  hello: {
    summary: "makes a profile of a browser's TLS hello, and explains one",
    load: () => import('./hello/hello.ts'),
  },
  webtunnel: {
    summary: 'makes the secret of a bridge of webtunnel, and the configuration of its web server',
    load: () => import('./webtunnel/webtunnel.ts'),
  },
  completion: { summary: 'prints completions for bash, zsh or fish', load: () => import('./completion.ts') },
  demo: {
    summary: 'fetches a file through a transport on this machine alone, and shows how',
    load: () => import('./demo/demo.ts'),
  },
  check: { summary: 'says which requirements of the specification a PT keeps', load: () => import('./check.ts') },
}

/** True if a parent process that speaks the IPC has started us. */
const managed = process.env['TOR_PT_MANAGED_TRANSPORT_VER'] !== undefined

const notManaged = `postern runs pluggable transports, and is started by tor or by another parent process. In torrc:
  ClientTransportPlugin obfs4 exec /usr/bin/postern pt
To see it at work on this machine alone: postern demo. All commands: postern --help
`

async function main(argv: readonly string[]): Promise<number> {
  const [first = '', ...rest] = argv
  if (/^(?:--help|-h|help)$/.test(first)) return print(help())
  if (/^(?:--?version|-[vV])$/.test(first)) return print(`postern ${(await import('./version.ts')).packageVersion()}\n`)
  const command = Object.hasOwn(commands, first) ? commands[first] : undefined
  if (command !== undefined) {
    // `| head` may hang up: what is printed from then on is lost, and a tunnel goes on. A PT has its own way to write.
    if (first !== 'pt') process.stdout.on('error', () => undefined)
    return await (await command.load()).run(rest)
  }
  // obfs4proxy's flags, or the word of its how-tos, without a command: a torrc in which only the program's name was changed.
  if (managed && (first === '' || first === 'managed' || first.startsWith('-')))
    return await (await commands['pt']!.load()).run(argv)
  if (first === '') return complain(notManaged)
  throw new UsageError(await unknown(first))
}

async function unknown(word: string): Promise<string> {
  if (word.startsWith('-')) return `there is no option ${JSON.stringify(word)}`
  const sentence = `there is no command ${JSON.stringify(word)}`
  if (word === 'managed') return `${sentence}; in torrc, write: exec /usr/bin/postern pt`
  const { nearestName } = await import('../ipc/index.ts')
  const meant = nearestName(word, [...Object.keys(commands), 'help'])
  return meant === undefined ? sentence : `${sentence}; is ${meant} meant?`
}

function help(): string {
  const list = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(11)} ${summary}\n`)
  return `Usage: postern <command> [options]\n\nCommands:\n${list.join('')}\nOptions of every command: --help, --version\n`
}

function helpFor(command = ''): string {
  return Object.hasOwn(commands, command) ? `postern ${command} --help` : 'postern --help'
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function complain(text: string): number {
  process.stderr.write(text)
  return USAGE
}

/** A parent reads stdout and little else, so it is told there in its own language; runPt ends the process. */
async function tellParent(failure: Error): Promise<never> {
  const [{ runPt }, { packageVersion }] = await Promise.all([import('../pt/index.ts'), import('./version.ts')])
  const implementation = { name: 'postern', version: packageVersion() }
  return await runPt({ transports: () => Promise.reject(failure), implementation })
}

async function fail(error: unknown): Promise<number> {
  // The message may quote arguments, files and other programs.
  const message = printable((error as Error).message)
  if (managed) await tellParent(error as Error)
  if (isUsageError(error)) return complain(`postern: ${message}\nTry: ${helpFor(process.argv[2])}\n`)
  process.stderr.write(`postern: ${message}\n`)
  return 1
}

// There is no await at this level, as the bundle is CommonJS.
void main(process.argv.slice(2))
  .catch(fail)
  .then((status) => (process.exitCode = status))
