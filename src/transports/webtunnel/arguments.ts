/**
 * The arguments of webtunnel. Those of a client are lyrebird's, and `profile`.
 *
 *     client   url=https://host[:port]/path   addr=ip:port   servername=a,b   sni-imitation=a,b   cert-domain=a,b   cert=…   utls=…   ver=…
 */
import type { Args, ArgumentFinding } from '../../ipc/index.ts'
import { formatAddress, ipVersion, isHostName, parseTarget } from '../../ipc/address.ts'
import type { ArgumentRow, TransportArguments } from '../argument.ts'
import { ArgumentError, faultsOf, keysOf, unknownKeys, warning } from '../argument.ts'
import type { FrontProfile } from '../web/utls.ts'
import { profileOf } from '../web/utls.ts'
import type { FrontUrl } from './front-url.ts'
import { parseFrontUrl } from './front-url.ts'
import { announcedArgs, checkServer, requireAnnounceable, serverRows } from './server-arguments.ts'

/** In bytes: a SHA-256. */
const PIN_LENGTH = 32

/** What a client dials with. */
export interface ClientArguments {
  readonly url: FrontUrl
  /** `host:port` to connect to. */
  readonly target: string
  /** The names to dial with, of which one after the other is tried: at least one. */
  readonly names: readonly FrontName[]
  readonly pin: Buffer | undefined
  readonly profile: FrontProfile
}

/** One way to name the front. */
export interface FrontName {
  /** The name in the hello. */
  readonly servername: string
  /** The names of which the certificate has to carry one; '*' is any name. */
  readonly verifyNames: readonly string[]
}

/** Reads the arguments of a client. Throws PT_ARGS, and names the one that is missing or malformed. */
export function parseClientArguments(args: Args): ClientArguments {
  const url = readUrl(args)
  const target = readAddr(args) ?? formatAddress(url)
  const pin = readPin(args)
  return { url, target, pin, names: readNames(args, url), profile: readProfile(args) }
}

function readUrl(args: Args): FrontUrl {
  const text = args.get('url')
  if (text === undefined) throw new ArgumentError('url')
  return parseFrontUrl(text)
}

/** Empty is absent, here and with the other arguments, as with lyrebird. */
function readAddr(args: Args): string | undefined {
  const text = args.get('addr')
  if (text === undefined || text === '') return undefined
  try {
    const address = parseTarget(text)
    if (address.port > 0) return formatAddress(address)
  } catch {
    // It is said below.
  }
  throw new ArgumentError('addr', 'it is not an IP address or a host name, with a port')
}

/** lyrebird decodes only the standard alphabet with its padding. */
function readPin(args: Args): Buffer | undefined {
  const text = args.get('cert')
  if (text === undefined || text === '') return undefined
  const bare = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=$/, '')
  if (/^[0-9a-f]{64}$/i.test(text)) throw new ArgumentError('cert', 'it is hex; it has to be base64')
  const bytes = Buffer.from(bare, 'base64')
  if (bytes.length !== PIN_LENGTH || bytes.toString('base64') !== `${bare}=`) {
    throw new ArgumentError('cert', `it is not base64 of ${PIN_LENGTH} bytes, the hash of a chain of certificates`)
  }
  return bytes
}

/** servername counts more than sni-imitation, and cert-domain says the name of the certificate with both of them. */
function readNames(args: Args, url: FrontUrl): FrontName[] {
  const [servernames, imitated] = [readHosts(args, 'servername'), readHosts(args, 'sni-imitation')]
  const domains = readHosts(args, 'cert-domain')
  if (servernames.length > 0) {
    return servernames.map((name) => ({ servername: name, verifyNames: domains.length > 0 ? domains : [name] }))
  }
  const verifyNames = domains.length > 0 ? domains : [url.host]
  return (imitated.length > 0 ? imitated : [url.host]).map((servername) => ({ servername, verifyNames }))
}

/** The items of a comma list, with blanks trimmed and empty ones dropped. */
function readHosts(args: Args, key: 'servername' | 'sni-imitation' | 'cert-domain'): string[] {
  const items = (args.get(key) ?? '').split(',').map((item) => item.trim())
  const hosts = items.filter((item) => item !== '')
  for (const host of hosts) {
    if (isHostName(host) || ipVersion(host) > 0 || (key === 'cert-domain' && host === '*')) continue
    throw new ArgumentError(key, 'it is not a list of host names with commas between them')
  }
  return hosts
}

function readProfile(args: Args): FrontProfile {
  return profileOf({ utls: args.get('utls'), profile: args.get('profile') }, 'websocket')
}

const list = 'host names with commas between them'

const clientRows: readonly ArgumentRow[] = [
  {
    role: 'client',
    key: 'url',
    needed: 'yes',
    form: '`https://host[:port]/path`, or `http://` for a front without TLS',
    meaning: 'the web server in front of the bridge, and the path that it passes on; query and fragment are not sent',
  },
  {
    role: 'client',
    key: 'addr',
    needed: 'no; by default it is the host of `url`, which is then looked up by this machine, or by the upstream proxy',
    form: '`ip:port` or `host:port`',
    meaning: 'where to connect to instead',
  },
  {
    role: 'client',
    key: 'servername',
    needed: 'no; the default is the host of `url`',
    form: list,
    meaning: 'the name in the ClientHello, and in the certificate; of several one after the other is tried',
  },
  {
    role: 'client',
    key: 'sni-imitation',
    needed: 'no',
    form: list,
    meaning: 'the name in the ClientHello alone, if there is no `servername`; the certificate is that of `url`',
  },
  {
    role: 'client',
    key: 'cert-domain',
    needed: 'no',
    form: `${list}, or \`*\` for any name`,
    meaning: 'the name that the certificate has to carry instead; its chain is still verified',
  },
  {
    role: 'client',
    key: 'cert',
    needed: 'no',
    form: 'base64 of 32 bytes, with padding or without',
    meaning:
      'the hash of the chain of certificates, which then is all that is verified; a bridge that renews its certificate needs a new one',
  },
  {
    role: 'client',
    key: 'utls',
    needed: 'no; the default is the ClientHello of Chromium',
    form: 'a name of lyrebird, such as `hellofirefox_auto`; `none` is the TLS of Node',
    meaning: 'the browser whose ClientHello of today is sent; another one is tried if it gets no answer',
  },
  {
    role: 'client',
    key: 'profile',
    needed: 'no; it counts more than `utls`',
    form: '`auto`, `chromium`, `firefox` or `node`',
    meaning: 'the browser whose ClientHello is sent, and no other',
  },
  { role: 'client', key: 'ver', needed: 'no', form: 'a version', meaning: 'that of the server; it is for people' },
]

/** What a client knows, and only that, is passed on from the options of a server into the bridge line. */
const passedOn: readonly ArgumentRow[] = clientRows
  .filter(({ key }) => key !== 'url')
  .map(({ key, form, meaning }) => ({
    role: 'server',
    key,
    needed: key === 'ver' ? "no; the default is that of today's webtunnel-server" : 'no',
    form,
    meaning: `for the bridge line: ${meaning}`,
  }))

const rows: readonly ArgumentRow[] = [...clientRows, ...serverRows, ...passedOn]

export const webtunnelArguments: TransportArguments = {
  rows,
  check: (args, role) => (role === 'client' ? checkClient(args) : checkOptions(args)),
}

/** The arguments of the bridge line, out of the options of a server. Throws PT_ARGS for what cannot stand in a line. */
export function argumentsForClients(options: Args): Args {
  return requireAnnounceable(announcedArgs(options, keysOf(clientRows, 'client')))
}

function checkOptions(args: Args): ArgumentFinding[] {
  return [
    ...faultsOf(() => argumentsForClients(args)),
    ...checkServer(args),
    ...checkClient(announcedArgs(args, keysOf(clientRows, 'client'))),
    ...unknownKeys(args, 'webtunnel', keysOf(rows, 'server')),
  ]
}

function checkClient(args: Args): ArgumentFinding[] {
  return [
    ...faultsOf(
      () => readUrl(args),
      () => readAddr(args),
      () => readHosts(args, 'servername'),
      () => readHosts(args, 'sni-imitation'),
      () => readHosts(args, 'cert-domain'),
      () => readPin(args),
      () => readProfile(args),
    ),
    ...strangeUrl(args),
    ...strangePin(args),
    ...unknownKeys(args, 'webtunnel', keysOf(clientRows, 'client')),
  ]
}

function strangeUrl(args: Args): ArgumentFinding[] {
  const text = args.get('url')
  if (text === undefined || faultsOf(() => parseFrontUrl(text)).length > 0) return []
  const { isSecure, hasQuery } = parseFrontUrl(text)
  return [
    ...(isSecure ? [] : [warning('url', 'it is http, without TLS: everybody on the way sees the path and all bytes')]),
    ...(hasQuery ? [warning('url', 'what stands after its path is not sent')] : []),
  ]
}

function strangePin(args: Args): ArgumentFinding[] {
  const text = args.get('cert') ?? ''
  if (text === '' || faultsOf(() => readPin(args)).length > 0) return []
  const renewed = 'it fits one chain of certificates: once the web server renews its own, the line is of no use'
  return [
    warning('cert', renewed),
    ...(/[-_]|[^=]$/.test(text)
      ? [warning('cert', 'lyrebird takes it only in the standard alphabet of base64, with = at the end')]
      : []),
    ...(args.get('cert-domain') ? [warning('cert-domain', 'it does not count, as there is a cert')] : []),
  ]
}
