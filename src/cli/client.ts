/** `postern client`: a port of this machine that leads through a bridge. */
import type { ClientSpec } from './tunnels/spec.ts'
import { checks } from './tunnels/spec.ts'
import { checked, checkSpec, execOf, numberOf, secretOf, stateDirOf } from './tunnels/flags.ts'
import { hostOne } from './tunnels/host-one.ts'
import { bridgeLinesFrom, proxyFrom } from './tunnels/inputs.ts'
import { servable } from './tunnels/servable.ts'
import { parseArguments, protectLines, UsageError } from './usage.ts'

const help = `Usage: postern client [options] --file FILE
       postern client [options] LINE…

Opens a port on this machine that leads through a bridge to what stands behind it:

  postern client --listen 127.0.0.1:9000 --file bridge.txt

FILE has bridge lines, one each line, or in whatever form they were handed out: a mail, a QR code's text, torrc. A line given
as an argument instead is seen by every user of the machine, and kept by the shell.
Of several bridges the first that can be reached is used; those that failed are tried again later.

Options:
  --file FILE           the bridge lines; - is standard input
  --listen IP:PORT      where to listen (default 127.0.0.1:0, a free port that is printed)
  --socks               the port speaks SOCKS; what stands behind the bridge is a SOCKS server
  --secret-file FILE    the port speaks SOCKS 5 and wants the password that the first line of FILE holds
  --race                tries all bridges at once and takes the fastest
  --exec COMMAND        another PT, such as /usr/bin/obfs4proxy
  --proxy URI           an upstream proxy: socks5://HOST:PORT, socks4a://… or http://…;
                        a name is looked up at each connection, and the proxy is never gone around
  --proxy-file FILE     the same from the first line of FILE, with user and password: socks5://user:password@HOST:PORT
  --state-dir DIR       where transports keep what they keep; by default it is gone at the end
  --connect-timeout S   seconds for a connection, the wait for a restart of the PT included (default 60)
  --drain-timeout S     seconds that connections have to end in at the end (default 5)
  --max-connections N   connections at once (default 1024)
  --half-open           lets each direction end by itself; the server has to have it as well
  --expose              allows --listen on other than loopback
  --metrics IP:PORT     counts for Prometheus, on loopback
  --metrics-host NAME   a name besides localhost under which they are asked for; may be given several times
  --show-addresses      shows addresses in what is printed
  --json                prints events as JSON, a line each
  --help

Exit status: 0 after SIGINT or SIGTERM, 1 where the tunnel failed, 2 for a wrong command line.
`

export const options = {
  file: { type: 'string' },
  listen: { type: 'string', default: '127.0.0.1:0' },
  socks: { type: 'boolean' },
  'secret-file': { type: 'string' },
  race: { type: 'boolean' },
  exec: { type: 'string' },
  proxy: { type: 'string' },
  'proxy-file': { type: 'string' },
  'state-dir': { type: 'string' },
  'connect-timeout': { type: 'string' },
  'drain-timeout': { type: 'string' },
  'max-connections': { type: 'string' },
  'half-open': { type: 'boolean' },
  expose: { type: 'boolean' },
  metrics: { type: 'string' },
  'metrics-host': { type: 'string', multiple: true },
  'show-addresses': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const flags = { listen: '--listen (--expose would allow it)', bridges: 'LINE', halfOpen: '--half-open' }

/** Runs until a signal. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments({ args: protectLines(argv), options, allowPositionals: true })
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const lines = bridgeLinesFrom(positionals, values.file)
  if (lines.length === 0) throw new UsageError('client: there is no bridge line')
  const exec = execOf(values.exec)
  const { bridges, notes } = servable(lines, exec)
  const spec: ClientSpec = {
    kind: 'client',
    name: 'client',
    listen: checked('--listen', values.listen, checks.listen),
    bridges,
    strategy: values.race === true ? 'race' : 'failover',
    socks: values.socks ?? false,
    secret: secretOf('--secret-file', values['secret-file']),
    exposed: values.expose ?? false,
    halfOpen: values['half-open'] ?? false,
    exec,
    proxy: proxyFrom(values.proxy, values['proxy-file']),
    stateDir: stateDirOf(values['state-dir']),
    maxConnections: numberOf('--max-connections', values['max-connections'], 1024, [1, 65_536]),
    connectTimeout: numberOf('--connect-timeout', values['connect-timeout'], 60, [1, 600]) * 1000,
    drainTimeout: numberOf('--drain-timeout', values['drain-timeout'], 5, [0, 3600]) * 1000,
  }
  const checkedSpec = checkSpec(spec, flags)
  for (const note of notes) process.stderr.write(`postern: passed over: ${note}\n`)
  return await hostOne(checkedSpec, values)
}
