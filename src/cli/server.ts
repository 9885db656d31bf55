/** `postern server`: a bridge in front of a service. */
import { isTransportName, parseAddress } from '../ipc/index.ts'
import { checked, checkedMaybe, checkSpec, execOf, numberOf, stateDirOf } from './tunnels/flags.ts'
import { hostOne } from './tunnels/host-one.ts'
import { optionsFrom } from './tunnels/inputs.ts'
import type { ServerSpec } from './tunnels/spec.ts'
import { checks } from './tunnels/spec.ts'
import { defaultStateDir } from './tunnels/state-home.ts'
import { parseArguments, UsageError } from './usage.ts'

const help = `Usage: postern server TRANSPORT --listen IP:PORT --forward IP:PORT [options]

Runs a bridge and shows the line to hand out to its users, on a terminal; otherwise the file that holds it:

  postern server obfs4 --listen 0.0.0.0:443 --forward 127.0.0.1:22 --public-address 198.51.100.7

Options:
  --listen IP:PORT          where clients connect to
  --forward HOST:PORT       the service behind the bridge
  --forward socks           a built-in SOCKS 5 server instead; it goes where --allow says and nowhere else
  --allow HOST:PORT         where the SOCKS server may connect to; may be given several times. HOST is a name, *.name,
                            an address, a subnet (10.0.0.0/8), or * for all of the Internet; PORT is 443, 8000-8099 or *
  --public-address HOST     the address in the bridge line, with a :PORT where that differs
  --state-dir DIR           where the bridge's identity is kept (default: a folder for it, which is printed)
  --option KEY=VALUE        an option of the transport, such as iat-mode=1; may be given several times
  --option-file FILE        the same, one on each line of FILE, for secrets such as private-key=…; - is standard input
  --exec COMMAND            another PT, such as /usr/bin/obfs4proxy
  --half-open               lets each direction end by itself; clients have to have it as well
  --idle-timeout S          ends connections that carry nothing for so long (default 0: never)
  --drain-timeout S         seconds that connections have to end in at the end (default 5)
  --max-connections N       connections at once (default 1024)
  --metrics IP:PORT         counts for Prometheus, on loopback
  --metrics-host NAME       a name besides localhost under which they are asked for; may be given several times
  --print-line              prints the bridge line, a secret of its users, even where nobody sees it on a terminal
  --show-addresses          shows addresses in what is printed besides the bridge line
  --json                    prints events as JSON, a line each
  --help

Exit status: 0 after SIGINT or SIGTERM, 1 where the tunnel failed, 2 for a wrong command line.
`

export const options = {
  listen: { type: 'string' },
  forward: { type: 'string' },
  allow: { type: 'string', multiple: true },
  'public-address': { type: 'string' },
  'state-dir': { type: 'string' },
  option: { type: 'string', multiple: true },
  'option-file': { type: 'string' },
  exec: { type: 'string' },
  'half-open': { type: 'boolean' },
  'drain-timeout': { type: 'string' },
  'max-connections': { type: 'string' },
  'idle-timeout': { type: 'string' },
  metrics: { type: 'string' },
  'metrics-host': { type: 'string', multiple: true },
  'print-line': { type: 'boolean' },
  'show-addresses': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const flags = { transport: 'TRANSPORT', options: '--option', halfOpen: '--half-open' }

/** Runs until a signal. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments({ args: [...argv], options, allowPositionals: true })
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const [transport, surplus] = positionals
  if (transport === undefined) throw new UsageError('server: there is no transport, such as obfs4')
  if (surplus !== undefined) throw new UsageError(`Unexpected argument ${JSON.stringify(surplus)}`)
  if (!isTransportName(transport)) throw new UsageError('TRANSPORT: it is not the name of a transport')
  const listen = checked('--listen', required('--listen', values.listen), checks.listen)
  const spec: ServerSpec = {
    kind: 'server',
    name: 'server',
    transport,
    listen,
    forward: checked('--forward', required('--forward', values.forward), checks.forward),
    allow: checked('--allow', values.allow ?? [], checks.allow),
    options: optionsFrom(values.option ?? [], values['option-file']),
    publicAddress: checkedMaybe('--public-address', values['public-address'], checks.publicAddress),
    halfOpen: values['half-open'] ?? false,
    idleTimeout: numberOf('--idle-timeout', values['idle-timeout'], 0, [0, 604_800]) * 1000,
    exec: execOf(values.exec),
    stateDir: stateDirOf(values['state-dir']) ?? defaultStateDir(`${transport}-${parseAddress(listen).port}`),
    maxConnections: numberOf('--max-connections', values['max-connections'], 1024, [1, 65_536]),
    drainTimeout: numberOf('--drain-timeout', values['drain-timeout'], 5, [0, 3600]) * 1000,
  }
  return await hostOne(checkSpec(spec, flags), values)
}

function required(name: string, value: string | undefined): string {
  if (value === undefined) throw new UsageError(`server: ${name} is missing`)
  return value
}
