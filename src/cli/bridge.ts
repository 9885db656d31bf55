/** `postern bridge check` and `postern bridge test`: what is wrong with bridge lines, and which bridges work. */
import type { BridgeTest, Finding, OpenDialer } from '../app/index.ts'
import {
  bridgeLineToJson,
  formatBridgeLine,
  lintBridgeLines,
  openDialer,
  parseBridgeLine,
  testBridge,
} from '../app/index.ts'
import { withReported } from '../error.ts'
import { nearestName, scrubAddresses, secretsOf } from '../ipc/index.ts'
import { builtIns } from '../transports/index.ts'
import { printable, printableJson } from './printable.ts'
import { atFirstSignal } from './signals.ts'
import { whyNotBuiltIn } from './tunnels/exec.ts'
import { execOf, numberOf } from './tunnels/flags.ts'
import { bridgeLinesFrom, proxyFrom } from './tunnels/inputs.ts'
import { parseArguments, protectLines, UsageError } from './usage.ts'

const help = `Usage: postern bridge check [options] --file FILE
       postern bridge test [options] --file FILE

check says what is wrong with bridge lines, without a connection. test dials each bridge through its transport, and says
where it fails and how long it takes. FILE has a list, or what they were handed out in: a mail, a QR code's text, torrc.
Lines may be arguments too, in quotation marks each; every user of the machine sees them then, and the shell keeps them.

Options:
  --file FILE           the bridge lines; - is standard input
  --show-addresses      shows the lines themselves
  --json                prints JSON
  --help
of test:
  --exec COMMAND        another PT, such as /usr/bin/obfs4proxy
  --proxy URI           an upstream proxy
  --proxy-file FILE     the same from the first line of FILE, with user and password
  --timeout S           seconds for one bridge (default 20)
  --jobs N              how many at once (default 8)

Exit status: 0 where all lines are right or all bridges work, 1 where one is not or does not, 2 for a wrong command line.
`

export const options = {
  file: { type: 'string' },
  'show-addresses': { type: 'boolean' },
  json: { type: 'boolean' },
  exec: { type: 'string' },
  proxy: { type: 'string' },
  'proxy-file': { type: 'string' },
  timeout: { type: 'string' },
  jobs: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

export const actions = ['check', 'test'] as const

type Values = ReturnType<typeof parseArguments<{ options: typeof options; allowPositionals: true }>>['values']

/** Returns the exit status. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments({ args: protectLines(argv), options, allowPositionals: true })
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const [action, ...given] = positionals
  if (action !== 'check' && action !== 'test') {
    if (action === undefined) throw new UsageError('bridge: expected check or test')
    const meant = nearestName(action, actions)
    throw new UsageError(`bridge: there is no ${action}${meant === undefined ? '' : `; is ${meant} meant?`}`)
  }
  const lines = bridgeLinesFrom(given, values.file).map(({ text }) => text)
  if (lines.length === 0) throw new UsageError(`bridge ${action}: there is no bridge line`)
  if (action === 'test') return await test(lines, values)
  for (const name of ['exec', 'proxy', 'proxy-file', 'timeout', 'jobs'] as const) {
    if (values[name] !== undefined) throw new UsageError(`--${name} is for bridge test only`)
  }
  return check(lines, values)
}

function check(lines: readonly string[], values: Values): number {
  const results = lintBridgeLines(lines)
  const wrong = results.some((findings) => findings.some(({ severity }) => severity === 'error'))
  if (values.json === true) {
    const entries = lines.map((line, at) => ({ line: at + 1, ...valueOf(line, values), findings: results[at] }))
    process.stdout.write(`${printableJson(JSON.stringify(entries, null, 2))}\n`)
    return wrong ? 1 : 0
  }
  for (const [at, findings] of results.entries()) {
    process.stdout.write(`${labelOf(lines[at]!, at, values)}:${findings.length === 0 ? ' nothing wrong' : ''}`)
    process.stdout.write(findings.length === 0 ? '\n' : `\n${findings.map(formatFinding).join('')}`)
  }
  return wrong ? 1 : 0
}

function formatFinding({ severity, field, message }: Finding): string {
  return `  ${severity}: ${printable(`${field}: ${message}`)}\n`
}

/** The bridge of a readable line; with its address, name and keys only where they were asked for. */
function valueOf(line: string, values: Values): object {
  try {
    const bridge = parseBridgeLine(line)
    return values['show-addresses'] === true ? { bridge: bridgeLineToJson(bridge) } : { transport: bridge.transport }
  } catch {
    return {}
  }
}

function labelOf(line: string, at: number, values: Values): string {
  if (values['show-addresses'] === true) return `line ${at + 1}, ${printable(line)}`
  const transport = (valueOf(line, values) as { transport?: string }).transport
  return `line ${at + 1}${transport === undefined ? '' : `, ${transport}`}`
}

async function test(lines: readonly string[], values: Values): Promise<number> {
  const exec = execOf(values.exec)
  const proxy = proxyFrom(values.proxy, values['proxy-file'])
  const timeout = numberOf('--timeout', values.timeout, 20, [1, 600]) * 1000
  const jobs = numberOf('--jobs', values.jobs, 8, [1, 256])
  const stop = new AbortController()
  const done = atFirstSignal(['SIGINT', 'SIGTERM'], () => stop.abort(new Error('interrupted')))
  const why = new Map<string, string | undefined>(
    exec === undefined ? lines.map((line) => [line, notBuiltIn(line)]) : [],
  )
  const names = new Set(lines.flatMap((line) => (why.get(line) === undefined ? transportOf(line) : [])))
  const secrets = lines.flatMap(secretsIn)
  const dialOptions = { exec, proxy, secrets, connectTimeout: timeout, require: 'any' } as const
  const opened = names.size === 0 ? nothing : await open([...names], dialOptions)
  for (const line of lines) {
    const missing = opened.dialer.failures?.get(transportOf(line)[0] ?? '')
    if (missing !== undefined) why.set(line, missing)
  }
  try {
    const connectFirst = exec !== undefined && proxy === undefined
    const progress = progressLine(lines.length)
    const results = await inTurns(lines, jobs, async (line) => {
      const options = { dialer: opened.dialer, timeout, connectFirst, signal: stop.signal }
      const missing = why.get(line)
      const result = missing === undefined ? await testBridge(line, options) : untested(missing)
      progress.step(result)
      return result
    })
    progress.end()
    process.stdout.write(
      values.json === true ? formatJson(lines, results, values) : formatTable(lines, results, values),
    )
    return results.every(({ ok }) => ok) ? 0 : 1
  } finally {
    done()
    await opened.cleanUp()
  }
}

/** The row of a bridge that nothing here can dial. */
function untested(message: string): BridgeTest {
  return { ok: false, stage: 'argument', time: 0, verdict: 'it cannot be tested', message }
}

function notBuiltIn(line: string): string | undefined {
  const [transport] = transportOf(line)
  return transport === undefined ? undefined : whyNotBuiltIn(transport)
}

type DialOptions = Parameters<typeof openDialer>[1]

async function open(names: readonly string[], options: DialOptions): Promise<OpenDialer> {
  try {
    return await openDialer(names, { ...options, transports: builtIns })
  } catch (error) {
    throw new Error(scrubAddresses(withReported(error as Error)), { cause: error })
  }
}

/** Where no line can be read, nothing is dialled. */
const nothing: OpenDialer = {
  dialer: {
    dial: () => Promise.reject(new Error('nothing to dial')),
    requireAlive: () => Promise.resolve(),
    watch: () => () => {},
    close: () => Promise.resolve(),
  },
  cleanUp: () => Promise.resolve(),
}

function transportOf(line: string): string[] {
  try {
    return [parseBridgeLine(line).transport]
  } catch {
    return []
  }
}

function secretsIn(line: string): string[] {
  try {
    const { address, args } = parseBridgeLine(line)
    return secretsOf(address, args)
  } catch {
    return []
  }
}

/** Runs `act` for each item, at most `limit` at a time; results in the order of the items. */
async function inTurns<T, R>(items: readonly T[], limit: number, act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const queue = [...items.entries()]
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await act(next[1])
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work))
  return results
}

/** One line that is written over and over, on a terminal; nothing elsewhere. */
function progressLine(total: number): { step(result: BridgeTest): void; end(): void } {
  const out = process.stderr
  const count = { done: 0, ok: 0 }
  const draw = (): void => {
    if (out.isTTY) out.write(`\r${count.done} of ${total} tested, ${count.ok} work\u001b[K`)
  }
  draw()
  return {
    step: ({ ok }) => {
      count.done++
      if (ok) count.ok++
      draw()
    },
    end: () => void (out.isTTY && out.write('\r\u001b[K')),
  }
}

function formatJson(lines: readonly string[], results: readonly BridgeTest[], values: Values): string {
  const entries = results.map(({ ok, stage, time, verdict, message }, at) => ({
    line: at + 1,
    ...valueOf(lines[at]!, values),
    ok,
    stage: stage ?? null,
    time,
    verdict,
    ...(message === undefined ? {} : { message: clean(message, values) }),
  }))
  return `${printableJson(JSON.stringify(entries, null, 2))}\n`
}

function formatTable(lines: readonly string[], results: readonly BridgeTest[], values: Values): string {
  const rows = results.map(({ ok, stage, time, verdict, message }, at) => {
    const why =
      stage === 'argument' && message !== undefined ? `${verdict}: ${printable(clean(message, values))}` : verdict
    const bridge = transportOf(lines[at]!)[0] ?? '?'
    return [`${at + 1}`, bridge, ok ? 'works' : (stage ?? 'failed'), `${time} ms`, ok ? '' : why]
  })
  const table = [['line', 'transport', 'stage', 'time', 'verdict'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]!.length)))
  const text = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const shown =
    values['show-addresses'] === true ? lines.map((line, at) => `${at + 1}: ${printable(readable(line))}`) : []
  return `${[...text, ...shown].join('\n')}\n`
}

function readable(line: string): string {
  try {
    return formatBridgeLine(parseBridgeLine(line))
  } catch {
    return line
  }
}

function clean(text: string, values: Values): string {
  return values['show-addresses'] === true ? text : scrubAddresses(text)
}
