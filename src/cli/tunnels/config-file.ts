/**
 * The file of `postern run`: several tunnels in TOML, checked as a whole before any of it is started.
 *
 *     metrics = "127.0.0.1:9460"
 *     [client.web]                           [server.ssh]
 *     listen = "127.0.0.1:9000"              transport = "obfs4"
 *     bridges = ["obfs4 …"]                  listen = "0.0.0.0:443"
 *                                            forward = "127.0.0.1:22"
 *
 * An error is one sentence: `tunnels.toml:5: client.web.listen: malformed address: …`.
 */
import { readFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { parse as parseToml, TomlError } from 'smol-toml'
import type { BaseIssue, GenericSchema } from 'valibot'
import * as v from 'valibot'
import { isTransportName } from '../../ipc/index.ts'
import { UsageError } from '../usage.ts'
import { findClash } from './clashes.ts'
import { splitCommand } from './exec.ts'
import { secretOf } from './flags.ts'
import { bridgeLinesFrom, optionsFrom, proxyFrom, readInput } from './inputs.ts'
import { locateKey } from './locate-key.ts'
import type { Servable } from './servable.ts'
import { servable, whyOfKind } from './servable.ts'
import type { ClientSpec, ServerSpec, TunnelSpec } from './spec.ts'
import { checks, checkTogether, ConflictError } from './spec.ts'
import { defaultStateDir, resolveStateDir } from './state-home.ts'
import type { Plan } from './tunnel-host.ts'

/** Names are labels of metrics and parts of paths. */
const NAME = /^[A-Za-z0-9_-]{1,64}$/

/** A value for which `check` throws is an issue with its message. */
function checkedBy<T>(check: (value: T) => unknown): v.RawCheckAction<T> {
  return v.rawCheck<T>(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    try {
      check(dataset.value)
    } catch (error) {
      addIssue({ message: (error as Error).message })
    }
  })
}

const text = (check: (value: string) => unknown): GenericSchema<string> => v.pipe(v.string(), checkedBy(check))

const wholeNumber = (min: number, max: number): GenericSchema<number> =>
  v.pipe(
    v.number(),
    v.check(
      (value) => Number.isInteger(value) && value >= min && value <= max,
      `expected a whole number from ${min} to ${max}`,
    ),
  )

/** A value, or a list of such values. */
const oneOrMore = (one: GenericSchema<string>): GenericSchema<string | string[], string[]> =>
  v.pipe(
    v.union([one, v.array(one)], 'expected a name, or a list of names'),
    v.transform((value) => [value].flat()),
  )

const command = v.pipe(
  v.union([v.string(), v.array(v.string())], 'expected a string, or a list of strings'),
  v.transform((value): readonly string[] => (typeof value === 'string' ? splitCommand(value) : value)),
  checkedBy(checks.exec),
)

const common = {
  exec: v.optional(command),
  'state-dir': v.optional(text(checks.stateDir)),
  'half-open': v.optional(v.boolean(), false),
  'max-connections': v.optional(wholeNumber(1, 65_536), 1024),
  'drain-timeout': v.optional(wholeNumber(0, 3600), 5),
}

/** A line of a kind that we cannot serve may stand among others. */
function checkBridge(line: string): void {
  if (whyOfKind(line, []) === undefined) checks.bridge(line)
}

const client = v.strictObject({
  ...common,
  listen: text(checks.listen),
  bridges: v.optional(v.pipe(v.array(text(checkBridge)), v.minLength(1, 'there is no bridge line in it'))),
  file: v.optional(v.string()),
  strategy: v.optional(v.picklist(['failover', 'race'], 'expected "failover" or "race"'), 'failover'),
  socks: v.optional(v.boolean(), false),
  'secret-file': v.optional(v.string()),
  expose: v.optional(v.boolean(), false),
  proxy: v.optional(text(checks.proxy)),
  'proxy-file': v.optional(v.string()),
  'connect-timeout': v.optional(wholeNumber(1, 600), 60),
})

const server = v.strictObject({
  ...common,
  transport: v.pipe(v.string(), v.check(isTransportName, 'it is not the name of a transport')),
  listen: text(checks.listen),
  forward: text(checks.forward),
  allow: v.optional(v.pipe(v.array(v.string()), checkedBy<string[]>(checks.allow)), []),
  'public-address': v.optional(text(checks.publicAddress)),
  options: v.optional(v.record(v.string(), v.string()), {}),
  'idle-timeout': v.optional(wholeNumber(0, 604_800), 0),
  'option-file': v.optional(v.string()),
})

const named = v.pipe(v.string(), v.regex(NAME, 'the name of a tunnel is 1 to 64 letters, digits, - and _'))

/** An array of tables would pass for a record whose names are numbers. */
const noArray = v.check(
  (given: unknown) => !Array.isArray(given),
  'each tunnel is a table of its name, as in [client.web]',
)

const file = v.strictObject({
  metrics: v.optional(text(checks.loopback)),
  'metrics-host': v.optional(oneOrMore(text(checks.host)), []),
  client: v.optional(v.pipe(v.unknown(), noArray, v.record(named, client)), {}),
  server: v.optional(v.pipe(v.unknown(), noArray, v.record(named, server)), {}),
})

/** Reads and checks a file. Throws UsageError, whose message names file, line and key. */
export function readConfigFile(path: string): Plan {
  let source: string
  try {
    source = path === '-' ? readInput('FILE', path).toString('utf8') : readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(`${path}: ${code === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${code}`}`)
  }
  return parseConfig(source, path)
}

/** `readConfigFile` of a text; paths in it are relative to the folder of `path`. `note` is told of bridges that are passed over. */
export function parseConfig(source: string, path: string, note: (text: string) => void = toStderr): Plan {
  const fail = (keys: readonly string[], why: string): UsageError => {
    const line = keys.length === 0 ? undefined : locateKey(source, keys)
    const place = `${basename(path)}${line === undefined ? '' : `:${line}`}`
    return new UsageError(`${place}: ${keys.length === 0 ? '' : `${keys.join('.')}: `}${why}`)
  }
  const result = v.safeParse(file, parsed(source, path))
  if (!result.success) {
    const [issue] = result.issues
    throw fail(keysOf(issue), explain(issue))
  }
  const { metrics: address, 'metrics-host': hosts } = result.output
  const folder = dirname(resolve(path))
  /** What `read` makes of the file that a key names; its error is one of that key. */
  const fromFile: FromFile = ([kind, name, key], given, read) => {
    try {
      return given === undefined ? undefined : read(resolve(folder, given))
    } catch (error) {
      throw fail([kind, name, key], (error as Error).message.replace(/^(?:--[a-z-]+(?:: |, (?=line))|: )/, ''))
    }
  }
  const stateDirFor = (name: string, given: string | undefined): string => {
    if (given !== undefined) return resolveStateDir(given, folder)
    try {
      return defaultStateDir(name, 'state-dir')
    } catch (error) {
      throw fail(['server', name], (error as Error).message)
    }
  }
  const tunnels: TunnelSpec[] = [
    ...Object.entries(result.output.client).map(([name, one]) => {
      const { bridges, notes } = bridgesOf(name, one, fromFile, fail)
      for (const text of notes) note(`${basename(path)}: client.${name}: passed over: ${text.replace(/^--/, '')}`)
      return clientSpec(name, one, folder, bridges, fromFile)
    }),
    ...Object.entries(result.output.server).map(([name, one]) => serverSpec(name, one, stateDirFor, fromFile)),
  ]
  const seen = new Set<string>()
  for (const spec of tunnels) {
    if (seen.has(spec.name)) throw fail(['server', spec.name], 'a client has this name already')
    seen.add(spec.name)
    try {
      checkTogether(spec, () => '')
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
      throw fail([spec.kind, spec.name, error.key], error.message.replace(/^: /, ''))
    }
  }
  const clash = findClash(tunnels, address)
  if (clash !== undefined) throw fail([clash.spec.kind, clash.spec.name, clash.key], clash.why)
  if (tunnels.length === 0) throw fail([], 'there is no tunnel in it: [client.NAME] and [server.NAME] start one each')
  return { tunnels, metrics: address === undefined ? undefined : { address, hosts } }
}

function parsed(source: string, path: string): unknown {
  try {
    return parseToml(source)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [first = ''] = error.message.split('\n')
    throw new UsageError(
      `${basename(path)}:${error.line}: ${first.replace(/^Invalid TOML document: /, 'this is not TOML: ')}`,
    )
  }
}

type Issue = BaseIssue<unknown>

function keysOf(issue: Issue): string[] {
  const keys = (issue.path ?? []).map(({ key }) => key)
  return keys.map((key) => (typeof key === 'number' ? `${key + 1}` : String(key)))
}

/** valibot's own messages in the words of whoever wrote the file. */
function explain({ type, expected, received, message }: Issue): string {
  if (type === 'strict_object' && expected === 'never') return 'there is no such key'
  if (received === 'undefined') return 'it is missing'
  if (/^Invalid (?:type|key|length|format)/.test(message)) {
    const kinds: Readonly<Record<string, string>> = { Object: 'a table', Array: 'a list' }
    return `expected ${kinds[expected ?? ''] ?? `a ${expected}`}`
  }
  return message
}

type Client = v.InferOutput<typeof client>
type Server = v.InferOutput<typeof server>

type FromFile = <T>(
  key: readonly [kind: 'client' | 'server', name: string, key: string],
  file: string | undefined,
  read: (path: string) => T,
) => T | undefined

function toStderr(text: string): void {
  process.stderr.write(`postern: ${text}\n`)
}

/** The bridges of a client: those of `bridges`, then those of `file`. */
function bridgesOf(
  name: string,
  given: Client,
  fromFile: FromFile,
  fail: (keys: readonly string[], why: string) => UsageError,
): Servable {
  const typed = given.bridges ?? []
  const file = fromFile(['client', name, 'file'], given.file, (path) => bridgeLinesFrom([], path)) ?? []
  const lines = [...typed.map((text, at) => ({ text, name: `bridges.${at + 1}`, typed: true })), ...file]
  if (lines.length === 0)
    throw fail(['client', name, 'bridges'], 'it is missing, or file is, which names a file of bridge lines')
  try {
    return servable(lines, given.exec)
  } catch (error) {
    const key = typed.length === 0 ? 'file' : 'bridges'
    throw fail(['client', name, key], (error as Error).message.replace(/^(?:bridges\.\d+|--file, (?=line)):? ?/, ''))
  }
}

function clientSpec(
  name: string,
  given: Client,
  folder: string,
  bridges: readonly string[],
  fromFile: FromFile,
): ClientSpec {
  return {
    kind: 'client',
    name,
    listen: given.listen,
    bridges,
    strategy: given.strategy,
    socks: given.socks,
    secret: fromFile(['client', name, 'secret-file'], given['secret-file'], (path) => secretOf('', path)),
    exposed: given.expose,
    halfOpen: given['half-open'],
    exec: given.exec,
    proxy:
      given.proxy ??
      fromFile(['client', name, 'proxy-file'], given['proxy-file'], (path) => proxyFrom(undefined, path)),
    stateDir: given['state-dir'] === undefined ? undefined : resolveStateDir(given['state-dir'], folder),
    maxConnections: given['max-connections'],
    connectTimeout: given['connect-timeout'] * 1000,
    drainTimeout: given['drain-timeout'] * 1000,
  }
}

function serverSpec(
  name: string,
  given: Server,
  stateDirFor: (name: string, given: string | undefined) => string,
  fromFile: FromFile,
): ServerSpec {
  const kept = fromFile(['server', name, 'option-file'], given['option-file'], (path) => optionsFrom([], path))
  return {
    kind: 'server',
    name,
    transport: given.transport,
    listen: given.listen,
    forward: given.forward,
    allow: given.allow,
    options: { ...kept, ...given.options },
    publicAddress: given['public-address'],
    halfOpen: given['half-open'],
    idleTimeout: given['idle-timeout'] * 1000,
    exec: given.exec,
    stateDir: stateDirFor(name, given['state-dir']),
    maxConnections: given['max-connections'],
    drainTimeout: given['drain-timeout'] * 1000,
  }
}
