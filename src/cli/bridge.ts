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
import { builtInTransports } from '../transports/index.ts'
import { printable, printableJson } from './printable.ts'
import { atFirstSignal } from './signals.ts'
import { profileOfAnother, whyNotBuiltIn } from './tunnels/exec.ts'
import type { NamedLine, ProfileFile } from './tunnels/inputs.ts'
import { helpOf } from './tunnels/schema/help.ts'
import { seconds, wholeNumber } from './tunnels/schema/kinds.ts'
import type { OptionsOf } from './tunnels/schema/option.ts'
import { keyOf, withDefault } from './tunnels/schema/option.ts'
import { flagConfig, readFlags } from './tunnels/schema/read.ts'
import type { OutputValues } from './tunnels/schema/tunnel-options.ts'
import {
  execOption,
  fileOption,
  linesOption,
  outputOptions,
  profileOption,
  proxyFileOption,
  proxyOption,
} from './tunnels/schema/tunnel-options.ts'
import { parseArguments, protectLines, UsageError } from './usage.ts'

const usage = `Usage: postern bridge check [options] --file FILE
       postern bridge test [options] --file FILE

check says what is wrong with bridge lines, without a connection. test dials each bridge through its transport, and says
where it fails and how long it takes. FILE has a list, or what they were handed out in: a mail, a QR code's text, torrc.
Lines may be arguments too, each in quotation marks; every user of the machine sees them then, and the shell keeps them.
Options from exec on are for test.
`

const exitStatus =
  'Exit status: 0 if all lines are right or all bridges work, 1 if one is not or does not, 2 for a wrong command line.\n'

interface CheckValues extends OutputValues {
  readonly file: readonly NamedLine[] | undefined
  readonly lines: readonly NamedLine[] | undefined
}

interface TestValues {
  readonly exec: readonly string[] | undefined
  readonly proxy: string | undefined
  readonly proxyFile: string | undefined
  readonly profile: ProfileFile | undefined
  /** Milliseconds. */
  readonly timeout: number
  readonly jobs: number
}

const checkOptions: OptionsOf<CheckValues> = { file: fileOption, lines: linesOption, ...outputOptions }

const testOptions: OptionsOf<TestValues> = {
  exec: execOption,
  proxy: proxyOption,
  proxyFile: proxyFileOption,
  profile: profileOption,
  timeout: withDefault(seconds(1, 600), 20_000, 'S', 'seconds for one bridge', { defaultText: '20' }),
  jobs: withDefault(wholeNumber(1, 256), 8, 'N', 'how many bridges at once', { defaultText: '8' }),
}

export const options: OptionsOf<CheckValues & TestValues> = { ...checkOptions, ...testOptions }

export const actions = ['check', 'test'] as const

/** What is printed, and how. */
type Printed = Pick<OutputValues, 'json' | 'showAddresses'>

/** Returns the exit status. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const config = { args: protectLines(argv), options: flagConfig(options), allowPositionals: true } as const
  const { values: given, positionals } = parseArguments(config)
  if (given['help'] === true) {
    process.stdout.write(helpOf({ options, usage, exitStatus }))
    return 0
  }
  const [action, ...words] = positionals
  if (action !== 'check' && action !== 'test') {
    if (action === undefined) throw new UsageError('bridge: expected check or test')
    const meant = nearestName(action, actions)
    throw new UsageError(`bridge: there is no ${action}${meant === undefined ? '' : `; is ${meant} meant?`}`)
  }
  const {
    file = [],
    lines: typed = [],
    ...printed
  } = readFlags('bridge', checkOptions, {
    ...given,
    LINE: words.length === 0 ? undefined : words,
  })
  const lines = [...typed, ...file].map(({ text }) => text)
  if (lines.length === 0) throw new UsageError(`bridge ${action}: there is no bridge line`)
  if (action === 'test') return await test(lines, readFlags('bridge', testOptions, given), printed)
  for (const name of Object.keys(testOptions).map(keyOf)) {
    if (given[name] !== undefined) throw new UsageError(`--${name} is for bridge test only`)
  }
  return check(lines, printed)
}

function check(lines: readonly string[], values: Printed): number {
  const results = lintBridgeLines(lines)
  const wrong = results.some((findings) => findings.some(({ severity }) => severity === 'error'))
  if (values.json) {
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

/** The bridge of a readable line; with its address, name and keys only if they were asked for. */
function valueOf(line: string, values: Printed): object {
  try {
    const bridge = parseBridgeLine(line)
    return values.showAddresses ? { bridge: bridgeLineToJson(bridge) } : { transport: bridge.transport }
  } catch {
    return {}
  }
}

function labelOf(line: string, at: number, values: Printed): string {
  if (values.showAddresses) return `line ${at + 1}, ${printable(line)}`
  const transport = (valueOf(line, values) as { transport?: string }).transport
  return `line ${at + 1}${transport === undefined ? '' : `, ${transport}`}`
}

async function test(
  lines: readonly string[],
  { exec, proxy: uri, proxyFile, profile: own, timeout, jobs }: TestValues,
  values: Printed,
): Promise<number> {
  if (uri !== undefined && proxyFile !== undefined) {
    throw new UsageError('--proxy-file: one of --proxy and --proxy-file is enough')
  }
  if (exec !== undefined && own !== undefined) throw new UsageError(`--profile: ${profileOfAnother}`)
  const proxy = uri ?? proxyFile
  const stop = new AbortController()
  const done = atFirstSignal(['SIGINT', 'SIGTERM'], () => stop.abort(new Error('interrupted')))
  const why = new Map<string, string | undefined>(
    exec === undefined ? lines.map((line) => [line, notBuiltIn(line)]) : [],
  )
  const names = new Set(lines.flatMap((line) => (why.get(line) === undefined ? transportOf(line) : [])))
  const secrets = lines.flatMap(secretsIn)
  const transports = builtInTransports({ profile: own?.profile })
  const dialOptions = { exec, transports, proxy, secrets, connectTimeout: timeout, require: 'any' } as const
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
    process.stdout.write(values.json ? formatJson(lines, results, values) : formatTable(lines, results, values))
    return results.every(({ ok }) => ok) ? 0 : 1
  } finally {
    done()
    await opened.cleanUp()
  }
}

/** Makes the row of a bridge that nothing here can dial. */
function untested(message: string): BridgeTest {
  return { ok: false, stage: 'argument', time: 0, verdict: 'it cannot be tested', message }
}

function notBuiltIn(line: string): string | undefined {
  const [transport] = transportOf(line)
  return transport === undefined ? undefined : whyNotBuiltIn(transport, '--exec')
}

type DialOptions = Parameters<typeof openDialer>[1]

async function open(names: readonly string[], options: DialOptions): Promise<OpenDialer> {
  try {
    return await openDialer(names, options)
  } catch (error) {
    throw new Error(scrubAddresses(withReported(error as Error)), { cause: error })
  }
}

/** If no line can be read, nothing is dialled. */
const nothing: OpenDialer = {
  dialer: {
    inProcess: true,
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

/** One line that is written over and over on a terminal; elsewhere nothing is written. */
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

function formatJson(lines: readonly string[], results: readonly BridgeTest[], values: Printed): string {
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

function formatTable(lines: readonly string[], results: readonly BridgeTest[], values: Printed): string {
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
  const shown = values.showAddresses ? lines.map((line, at) => `${at + 1}: ${printable(readable(line))}`) : []
  return `${[...text, ...shown].join('\n')}\n`
}

function readable(line: string): string {
  try {
    return formatBridgeLine(parseBridgeLine(line))
  } catch {
    return line
  }
}

function clean(text: string, values: Printed): string {
  return values.showAddresses ? text : scrubAddresses(text)
}
