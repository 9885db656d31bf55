/** `postern client`: a port of this machine that leads through a bridge. */
import { readCommandLine } from './tunnels/flags.ts'
import { hostOne } from './tunnels/host-one.ts'
import { flagNaming } from './tunnels/schema/naming.ts'
import type { OptionsOf } from './tunnels/schema/option.ts'
import { asUsageError } from './tunnels/schema/read.ts'
import type { ClientValues, OutputValues, ProcessValues } from './tunnels/schema/tunnel-options.ts'
import { clientOptions, outputOptions, processOptions } from './tunnels/schema/tunnel-options.ts'
import { clientSpec } from './tunnels/spec.ts'
import { EXIT_STATUS, protectLines, UsageError } from './usage.ts'

const usage = `Usage: postern client [options] --file FILE
       postern client [options] LINE…

Opens a port on this machine that leads through a bridge to what is behind it:

  postern client --listen 127.0.0.1:9000 --file bridge.txt

FILE has bridge lines, one on each line, or in whatever form they were handed out: a mail, a QR code's text, torrc. If a line
is given as an argument instead, every user of the machine can see it, and the shell keeps it.
Of several bridges the first that can be reached is used; those that failed are tried again later.
`

type Values = ClientValues & ProcessValues & OutputValues

export const options: OptionsOf<Values> = { ...clientOptions, ...processOptions, ...outputOptions }

/** Runs until a signal. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const command = { name: 'client', options, usage, exitStatus: EXIT_STATUS, arguments: linesOf }
  const values = readCommandLine(command, protectLines(argv))
  if (values === undefined) return 0
  const { metrics, metricsHost, showAddresses, json, help: _, ...client } = values
  if ((client.bridges ?? []).length + (client.file ?? []).length === 0) {
    throw new UsageError('client: there is no bridge line')
  }
  const naming = flagNaming(options)
  const { spec, passedOver } = asUsageError(() => clientSpec('client', client, naming), naming)
  return await hostOne({ spec, passedOver }, { metrics, metricsHost }, { json, showAddresses, printLine: false })
}

function linesOf(words: readonly string[]): { LINE: readonly string[] | undefined } {
  return { LINE: words.length === 0 ? undefined : words }
}
