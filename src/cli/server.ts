/** `postern server`: a bridge in front of a service. */
import { readCommandLine } from './tunnels/flags.ts'
import { hostOne } from './tunnels/host-one.ts'
import { flagNaming } from './tunnels/schema/naming.ts'
import type { OptionsOf } from './tunnels/schema/option.ts'
import { asUsageError } from './tunnels/schema/read.ts'
import type { OutputValues, ProcessValues, ServerValues } from './tunnels/schema/tunnel-options.ts'
import { outputOptions, printLineOption, processOptions, serverOptions } from './tunnels/schema/tunnel-options.ts'
import { serverSpec } from './tunnels/spec.ts'
import { EXIT_STATUS, UsageError } from './usage.ts'

const usage = `Usage: postern server TRANSPORT --listen IP:PORT --forward HOST:PORT [options]

Runs a bridge and shows the line to hand out to its users, on a terminal; otherwise it shows the file that holds the line:

  postern server obfs4 --listen 0.0.0.0:443 --forward 127.0.0.1:22 --public-address 198.51.100.7
`

type Values = ServerValues & ProcessValues & OutputValues & { readonly printLine: boolean }

export const options: OptionsOf<Values> = {
  ...serverOptions,
  ...processOptions,
  printLine: printLineOption,
  ...outputOptions,
}

/** Runs until a signal. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const command = { name: 'server', options, usage, exitStatus: EXIT_STATUS, arguments: transportOf }
  const values = readCommandLine(command, argv)
  if (values === undefined) return 0
  const { metrics, metricsHost, printLine, showAddresses, json, help: _, ...server } = values
  const naming = flagNaming(options)
  const stateName = `${server.transport}-${server.listen.port}`
  const spec = asUsageError(() => serverSpec('server', server, naming, stateName), naming)
  return await hostOne({ spec, passedOver: [] }, { metrics, metricsHost }, { json, showAddresses, printLine })
}

function transportOf([transport, surplus]: readonly string[]): { TRANSPORT: string } {
  if (transport === undefined) throw new UsageError('server: there is no transport, such as obfs4')
  if (surplus !== undefined) throw new UsageError(`Unexpected argument ${JSON.stringify(surplus)}`)
  return { TRANSPORT: transport }
}
