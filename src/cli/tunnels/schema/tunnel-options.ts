/**
 * The options of tunnels: of `postern client` and `[client.NAME]`, of `postern server` and `[server.NAME]`, of what both share, and of
 * the process that runs them. Flags, keys, defaults, help, types and docs/tunnels.md come from here.
 */
import type { AllowList, Strategy } from '../../../app/index.ts'
import type { Address } from '../../../ipc/index.ts'
import { isTransportName } from '../../../ipc/index.ts'
import { splitCommand, whyNotExec } from '../exec.ts'
import type { NamedLine, ProfileFile } from '../inputs.ts'
import {
  linesFromArguments,
  linesInFile,
  linesTyped,
  optionsInFile,
  pairOf,
  profileInFile,
  proxyInFile,
  secretInFile,
} from '../inputs.ts'
import { resolveStateDir } from '../state-home.ts'
import type { PublicAddress } from '../values.ts'
import {
  allowList,
  forwardTarget,
  hostName,
  listenAddress,
  loopbackAddress,
  proxyUri,
  publicAddress,
} from '../values.ts'
import type { Kind } from './kinds.ts'
import { choice, command, list, mapped, pairs, path, seconds, text, wholeNumber, yes } from './kinds.ts'
import { Mistake, readPart } from './mistake.ts'
import type { Option, OptionsOf } from './option.ts'
import { optional, required, withDefault } from './option.ts'

/** A week, in seconds. */
const WEEK = 604_800

const aCommand = command(splitCommand, (words) => {
  const why = whyNotExec(words)
  if (why !== undefined) throw new Mistake(why)
})

const aTransport = text((name) => {
  if (!isTransportName(name)) throw new Mistake('it is not the name of a transport')
  return name
})

/** Lines as arguments of a command line, or as a list in a file. */
const bridgeLines: Kind<readonly NamedLine[]> = {
  words: 'many',
  toml: 'list of strings',
  fromFlag: (given) => readPart(undefined, () => linesFromArguments(given as readonly string[])),
  fromToml: (given, folder) => {
    const lines = list((line) => line).fromToml(given, folder)
    if (lines.length === 0) throw new Mistake('there is no bridge line in it')
    return linesTyped(lines)
  },
}

export const linesOption: Option<readonly NamedLine[] | undefined> = optional(
  bridgeLines,
  'LINE',
  'bridge lines, beside those of file or in place of them',
  {
    argument: 'LINE',
  },
)
export const execOption: Option<readonly string[] | undefined> = optional(
  aCommand,
  'COMMAND',
  'another PT, such as /usr/bin/obfs4proxy',
)
export const fileOption: Option<readonly NamedLine[] | undefined> = optional(
  path(linesInFile),
  'FILE',
  'the bridge lines; - is standard input',
)
export const proxyOption: Option<string | undefined> = optional(
  text(proxyUri),
  'URI',
  'an upstream proxy: socks5://HOST:PORT, socks4a://… or http://…;\na name is looked up at each connection, and the proxy is never gone around',
)
export const proxyFileOption: Option<string | undefined> = optional(
  path(proxyInFile),
  'FILE',
  'the same from the first line of FILE, with user and password: socks5://user:password@HOST:PORT',
)

export const profileOption: Option<ProfileFile | undefined> = optional(
  path(profileInFile),
  'FILE',
  'the ClientHello of webtunnel and meek: a profile of your own browser, as postern hello capture makes it;\nit counts more than what a bridge line says',
)

const halfOpen = (others: string): Option<boolean> =>
  withDefault(yes, false, '', `lets each direction end by itself; ${others} to have it as well`)
const isolate = withDefault(
  yes,
  false,
  '',
  'runs the built-in transport in a process of its own: if it fails, the other tunnels go on, and it is started again',
)
const drainTimeout = withDefault(
  seconds(0, 3_600),
  5_000,
  'S',
  'seconds that connections have to end in after the tunnel was told to end',
  { defaultText: '5' },
)
const maxConnections = withDefault(
  wholeNumber(1, 65_536),
  1_024,
  'N',
  'connections at once; the next ones wait to be accepted',
  { defaultText: '1024' },
)

/** What both ends have. */
interface TunnelValues {
  readonly exec: readonly string[] | undefined
  readonly isolate: boolean
  readonly stateDir: string | undefined
  readonly halfOpen: boolean
  /** Milliseconds. */
  readonly drainTimeout: number
  readonly maxConnections: number
}

export interface ClientValues extends TunnelValues {
  readonly file: readonly NamedLine[] | undefined
  readonly listen: Address
  readonly bridges: readonly NamedLine[] | undefined
  readonly strategy: Strategy
  readonly socks: boolean
  /** The secret itself. */
  readonly secretFile: string | undefined
  /** A URI, and so is what the file holds. */
  readonly proxy: string | undefined
  readonly proxyFile: string | undefined
  /** Milliseconds. */
  readonly connectTimeout: number
  readonly expose: boolean
  readonly profile: ProfileFile | undefined
}

export const clientOptions: OptionsOf<ClientValues> = {
  file: fileOption,
  listen: required(text(listenAddress), 'IP:PORT', 'where to listen', {
    flagDefault: '127.0.0.1:0',
    defaultText: '127.0.0.1:0, a free port that is printed',
  }),
  bridges: linesOption,
  strategy: withDefault(
    choice<Strategy>(['failover', 'race']),
    'failover',
    '',
    'tries all bridges at once and takes the fastest; otherwise the first that can be reached',
    { flag: 'race', defaultText: '"failover"' },
  ),
  socks: withDefault(yes, false, '', 'the port speaks SOCKS; what is behind the bridge is a SOCKS server'),
  secretFile: optional(
    path(secretInFile),
    'FILE',
    'the port speaks SOCKS 5 and wants the password that the first line of FILE holds',
  ),
  exec: execOption,
  isolate,
  proxy: proxyOption,
  proxyFile: proxyFileOption,
  stateDir: optional(
    path(resolveStateDir),
    'DIR',
    'the folder for what transports keep; by default it is gone at the end',
  ),
  connectTimeout: withDefault(
    seconds(1, 600),
    60_000,
    'S',
    'seconds for a connection; if a process of the transport is started again, this wait is included',
    { defaultText: '60' },
  ),
  drainTimeout,
  maxConnections,
  halfOpen: halfOpen('the server has'),
  profile: profileOption,
  expose: withDefault(yes, false, '', 'allows listen to be another address than loopback'),
}

export interface ServerValues extends TunnelValues {
  readonly transport: string
  readonly listen: Address
  readonly forward: Address | 'socks'
  readonly allow: AllowList | undefined
  readonly publicAddress: PublicAddress | undefined
  readonly options: Readonly<Record<string, string>>
  /** The options that the file holds. */
  readonly optionFile: Readonly<Record<string, string>> | undefined
  /** Milliseconds; 0 for never. */
  readonly idleTimeout: number
}

export const serverOptions: OptionsOf<ServerValues> = {
  transport: required(aTransport, 'TRANSPORT', 'the transport, such as obfs4', { argument: 'TRANSPORT' }),
  listen: required(text(listenAddress), 'IP:PORT', 'the address that clients connect to'),
  forward: required(
    text(forwardTarget),
    'HOST:PORT',
    'the service behind the bridge; or the word socks: a built-in SOCKS 5 server,\nwhich connects to what allow names and nothing else',
  ),
  allow: optional(
    mapped(
      list((rule) => rule),
      allowList,
    ),
    'HOST:PORT',
    'a target that the SOCKS server may connect to; may be given several times. HOST is a name, *.name,\nan address, a subnet (10.0.0.0/8), or * for all of the Internet; PORT is 443, 8000-8099 or *',
  ),
  publicAddress: optional(
    text(publicAddress),
    'HOST',
    'the address in the bridge line, with a :PORT if that is another one too',
  ),
  stateDir: optional(
    path(resolveStateDir),
    'DIR',
    "the folder for the bridge's identity; by default one for it, which is printed",
  ),
  options: withDefault(
    pairs(pairOf),
    {},
    'KEY=VALUE',
    'an option of the transport, such as iat-mode=1; may be given several times',
    { flag: 'option' },
  ),
  optionFile: optional(
    path(optionsInFile),
    'FILE',
    'the same, one on each line of FILE, for secrets such as private-key=…; - is standard input',
  ),
  exec: execOption,
  isolate,
  halfOpen: halfOpen('clients have'),
  idleTimeout: withDefault(
    seconds(0, WEEK),
    0,
    'S',
    'ends connections on which nothing has come or gone for so many seconds; 0: never',
    { defaultText: '0' },
  ),
  drainTimeout,
  maxConnections,
}

/** Keys at the top of a file, and flags of each command that runs one tunnel. */
export interface ProcessValues {
  readonly metrics: Address | undefined
  readonly metricsHost: readonly string[]
}

export const processOptions: OptionsOf<ProcessValues> = {
  metrics: optional(text(loopbackAddress), 'IP:PORT', 'counts for Prometheus, on loopback'),
  metricsHost: withDefault(
    list(hostName, { orOne: true }),
    [],
    'NAME',
    'a name besides localhost under which the counts are asked for; may be given several times',
  ),
}

/** Flags that say what is printed; no file has them. */
export interface OutputValues {
  readonly showAddresses: boolean
  readonly json: boolean
  readonly help: boolean
}

export const outputOptions: OptionsOf<OutputValues> = {
  showAddresses: withDefault(yes, false, '', 'shows addresses in what is printed'),
  json: withDefault(yes, false, '', 'prints events as JSON, a line each'),
  help: withDefault(yes, false, '', ''),
}
export const printLineOption: Option<boolean> = withDefault(
  yes,
  false,
  '',
  'prints bridge lines, secrets of their users, even if the output is no terminal',
)
