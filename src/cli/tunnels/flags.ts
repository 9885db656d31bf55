/** The command lines of `client` and `server`, which run one tunnel: its options and those of the process. */
import { parseArguments } from '../usage.ts'
import type { MetricsPlan } from './metrics.ts'
import { helpOf } from './schema/help.ts'
import type { OptionsOf } from './schema/option.ts'
import { flagConfig, readFlags } from './schema/read.ts'
import type { ProcessValues } from './schema/tunnel-options.ts'

/** Parses a command line. With --help it prints the help, and gives nothing. */
export function readCommandLine<V>(command: CommandLine<V>, argv: readonly string[]): V | undefined {
  const { name, options, usage, exitStatus } = command
  const config = flagConfig(options)
  const { values, positionals } = parseArguments({ args: [...argv], options: config, allowPositionals: true })
  if (values['help'] === true) {
    process.stdout.write(helpOf({ options: options, usage, exitStatus }))
    return undefined
  }
  return readFlags(name, options, { ...values, ...command.arguments?.(positionals) })
}

export interface CommandLine<V> {
  readonly name: string
  readonly options: OptionsOf<V>
  /** What stands above the options in help. */
  readonly usage: string
  /** What stands below them. */
  readonly exitStatus: string
  /** The words without a flag, by the placeholders of their options. Throws UsageError. */
  readonly arguments?: (words: readonly string[]) => Readonly<Record<string, string | readonly string[] | undefined>>
}

/** The endpoint of the metrics; undefined if there is to be none. */
export function metricsOf({ metrics, metricsHost }: ProcessValues): MetricsPlan | undefined {
  return metrics === undefined ? undefined : { address: metrics, hosts: metricsHost }
}
