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
import { isUsageError, UsageError } from '../usage.ts'
import { findClash } from './clashes.ts'
import { metricsOf } from './flags.ts'
import { readInput, whyUnreadable } from './inputs.ts'
import { locateKey } from './locate-key.ts'
import { aTable, isTable } from './schema/kinds.ts'
import { Mistake } from './schema/mistake.ts'
import { keyNaming, OptionMistake } from './schema/naming.ts'
import { keyOf } from './schema/option.ts'
import { readTable } from './schema/read.ts'
import { clientOptions, processOptions, serverOptions } from './schema/tunnel-options.ts'
import type { TunnelSpec } from './spec.ts'
import { clientSpec, serverSpec } from './spec.ts'
import type { PassedOver, Plan } from './tunnel-host.ts'

/** Names are labels of metrics and parts of paths. */
const NAME = /^[A-Za-z0-9_-]{1,64}$/

type Table = Readonly<Record<string, unknown>>

/** Reads and checks a file. Throws UsageError, whose message names file, line and key. */
export function readConfigFile(path: string): Plan {
  let source: string
  try {
    source = path === '-' ? readInput(path).toString('utf8') : readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Mistake) throw new UsageError(`FILE: ${error.message}`)
    throw new UsageError(`${path}: ${whyUnreadable(error)}`)
  }
  return parseConfig(source, path)
}

/** `readConfigFile` of a text; paths in it are relative to the folder of `path`. */
export function parseConfig(source: string, path: string): Plan {
  return new ConfigReader(source, path).read()
}

class ConfigReader {
  readonly #source: string
  readonly #path: string
  readonly #tunnels: TunnelSpec[] = []
  readonly #passedOver: PassedOver[] = []

  constructor(source: string, path: string) {
    this.#source = source
    this.#path = path
  }

  read(): Plan {
    const { client = {}, server = {}, ...top } = this.#parsed()
    const process = this.#within([], () => readTable(processOptions, top, this.#folder))
    for (const [name, table] of this.#tablesOf('client', client)) this.#addClient(name, table)
    for (const [name, table] of this.#tablesOf('server', server)) this.#addServer(name, table)
    const clash = findClash(this.#tunnels, process.metrics)
    if (clash !== undefined) throw this.#error([clash.spec.kind, clash.spec.name, keyOf(clash.option)], clash.why)
    if (this.#tunnels.length === 0) {
      throw this.#error([], 'there is no tunnel in it: [client.NAME] and [server.NAME] start one each')
    }
    return { tunnels: this.#tunnels, metrics: metricsOf(process), passedOver: this.#passedOver }
  }

  get #folder(): string {
    return dirname(resolve(this.#path))
  }

  #parsed(): Table {
    try {
      return parseToml(this.#source)
    } catch (error) {
      if (!(error instanceof TomlError)) throw error
      const [first = ''] = error.message.split('\n')
      const why = first.replace(/^Invalid TOML document: /, 'this is not TOML: ')
      throw new UsageError(`${basename(this.#path)}:${error.line}: ${why}`)
    }
  }

  /** The tables below `[client]` or `[server]`, by their names. */
  #tablesOf(kind: 'client' | 'server', given: unknown): [name: string, table: Table][] {
    // An array of tables would pass for a table whose names are numbers.
    if (Array.isArray(given)) {
      throw this.#error([kind], 'each tunnel is a table of its name, as in [client.web]')
    }
    if (!isTable(given)) throw this.#error([kind], 'expected a table')
    return Object.entries(given).map(([name, table]) => {
      if (!NAME.test(name)) throw this.#error([kind, name], 'the name of a tunnel is 1 to 64 letters, digits, - and _')
      return [name, this.#within([kind, name], () => aTable(table))]
    })
  }

  #addClient(name: string, table: Table): void {
    const { spec, passedOver } = this.#within(['client', name], () =>
      clientSpec(name, readTable(clientOptions, table, this.#folder), keyNaming),
    )
    this.#tunnels.push(spec)
    for (const message of passedOver) this.#passedOver.push({ tunnel: name, message })
  }

  #addServer(name: string, table: Table): void {
    const spec = this.#within(['server', name], () =>
      serverSpec(name, readTable(serverOptions, table, this.#folder), keyNaming, name),
    )
    if (this.#tunnels.some((other) => other.name === name)) {
      throw this.#error(['server', name], 'a client has this name already')
    }
    this.#tunnels.push(spec)
  }

  /** Runs `act`; what is wrong becomes an error of the file, at the key below `keys` that is to blame. */
  #within<T>(keys: readonly string[], act: () => T): T {
    try {
      return act()
    } catch (error) {
      if (error instanceof OptionMistake) {
        const { part } = error
        const inside = part === undefined || 'line' in part ? [] : ['item' in part ? `${part.item}` : part.key]
        const line = part !== undefined && 'line' in part ? `line ${part.line}: ` : ''
        throw this.#error([...keys, error.key, ...inside], `${line}${error.message}`)
      }
      if (error instanceof Mistake || isUsageError(error)) throw this.#error(keys, (error as Error).message)
      throw error
    }
  }

  #error(keys: readonly string[], why: string): UsageError {
    const line = keys.length === 0 ? undefined : locateKey(this.#source, keys)
    const place = `${basename(this.#path)}${line === undefined ? '' : `:${line}`}`
    return new UsageError(`${place}: ${keys.length === 0 ? '' : `${keys.join('.')}: `}${why}`)
  }
}
