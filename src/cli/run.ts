/** `postern run FILE`: several tunnels, read anew on SIGHUP. */
import { readConfigFile } from './tunnels/config-file.ts'
import { hostTunnels } from './tunnels/host.ts'
import { createTunnelOutput } from './tunnels/output.ts'
import { printable } from './printable.ts'
import { parseArguments, UsageError } from './usage.ts'

const help = `Usage: postern run FILE [options]

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
{ iat-mode = "1" }; bridges = ["obfs4 …"] beside file or in place of it.
SIGHUP reads the file again: tunnels that have not changed keep their connections.

Options:
  --check               checks the file and starts nothing
  --print-line          prints bridge lines, secrets of their users, even where nobody sees them on a terminal
  --show-addresses      shows addresses in what is printed
  --json                prints events as JSON, a line each
  --help

Exit status: 0 after SIGINT or SIGTERM, 1 where a tunnel failed to start, 2 for a wrong command line or file.
`

export const options = {
  check: { type: 'boolean' },
  'print-line': { type: 'boolean' },
  'show-addresses': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Runs until a signal. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments({ args: [...argv], options, allowPositionals: true })
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const [file, surplus] = positionals
  if (file === undefined || file === '') throw new UsageError('run: there is no file')
  if (surplus !== undefined) throw new UsageError(`Unexpected argument ${JSON.stringify(surplus)}`)
  const plan = readConfigFile(file)
  if (values.check === true) {
    process.stdout.write(`${printable(file)}: ${plan.tunnels.length} tunnels, nothing wrong\n`)
    return 0
  }
  const output = createTunnelOutput({
    json: values.json ?? false,
    printLine: values['print-line'] ?? false,
    showAddresses: values['show-addresses'] ?? false,
  })
  // Standard input cannot be read a second time.
  return await hostTunnels(plan, { output, ...(file === '-' ? {} : { reload: () => readConfigFile(file) }) })
}
