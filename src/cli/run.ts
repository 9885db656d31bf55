/** `postern run FILE`: several tunnels of one file, which is read again on SIGHUP. */
import { readConfigFile } from './tunnels/config-file.ts'
import { readCommandLine } from './tunnels/flags.ts'
import { hostTunnels } from './tunnels/host.ts'
import { createTunnelOutput } from './tunnels/output.ts'
import { text, yes } from './tunnels/schema/kinds.ts'
import type { OptionsOf } from './tunnels/schema/option.ts'
import { required, withDefault } from './tunnels/schema/option.ts'
import type { OutputValues } from './tunnels/schema/tunnel-options.ts'
import { outputOptions, printLineOption } from './tunnels/schema/tunnel-options.ts'
import { printable } from './printable.ts'
import { EXIT_STATUS, UsageError } from './usage.ts'

const usage = `Usage: postern run FILE [options]

Runs the tunnels of a TOML file, or of standard input as -:

  metrics = "127.0.0.1:9460"

  [client.web]
  listen = "127.0.0.1:9000"
  file = "bridges.txt"

  [server.ssh]
  transport = "obfs4"
  listen = "0.0.0.0:443"
  forward = "127.0.0.1:22"

Further keys are the options of postern client and postern server without their dashes: socks, secret-file, exec, proxy,
proxy-file, option-file, allow, public-address, state-dir, max-connections, drain-timeout, idle-timeout …; strategy = "race"; options =
{ iat-mode = "1" }; bridges = ["obfs4 …"] beside file or in place of it. docs/tunnels.md lists them all.
SIGHUP reads the file again: tunnels that have not changed keep their connections.
`

interface Values extends OutputValues {
  readonly file: string
  readonly check: boolean
  readonly printLine: boolean
}

export const options: OptionsOf<Values> = {
  file: required(
    text((path) => path),
    'FILE',
    '',
    { argument: 'FILE' },
  ),
  check: withDefault(yes, false, '', 'checks the file and starts nothing'),
  printLine: printLineOption,
  ...outputOptions,
}

/** Runs until a signal. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const values = readCommandLine({ name: 'run', options, usage, exitStatus: EXIT_STATUS, arguments: fileOf }, argv)
  if (values === undefined) return 0
  const { file, check, json, printLine, showAddresses } = values
  const plan = readConfigFile(file)
  if (check) {
    for (const { tunnel, message } of plan.passedOver) {
      process.stderr.write(`postern: ${printable(`${file}: ${tunnel}: passed over: ${message}`)}\n`)
    }
    process.stdout.write(`${printable(file)}: ${plan.tunnels.length} tunnels, nothing wrong\n`)
    return 0
  }
  const output = createTunnelOutput({ json, printLine, showAddresses })
  // Standard input cannot be read a second time.
  return await hostTunnels(plan, { output, ...(file === '-' ? {} : { reload: () => readConfigFile(file) }) })
}

function fileOf([file, surplus]: readonly string[]): { FILE: string } {
  if (file === undefined || file === '') throw new UsageError('run: there is no file')
  if (surplus !== undefined) throw new UsageError(`Unexpected argument ${JSON.stringify(surplus)}`)
  return { FILE: file }
}
