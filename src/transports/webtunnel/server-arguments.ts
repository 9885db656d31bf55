/**
 * The options of a server, and what of them goes into the bridge line.
 *
 *     url=https://example.com/secret                      → url=https://example.com/secret ver=0.0.7
 *     decoy=… trust=… path=… tls-cert=… tls-key=…         → nothing: these are the server's own
 *
 * webtunnel-server puts every option into the line. Here only those go there that a client knows: a mistyped `tls-key` would otherwise
 * be published.
 */
import { isAbsolute } from 'node:path'
import type { ArgumentFinding } from '../../ipc/index.ts'
import { Args } from '../../ipc/index.ts'
import type { ArgumentRow } from '../argument.ts'
import { ArgumentError, faultsOf, warning } from '../argument.ts'
import type { CertificatePaths } from '../web/certificate-files.ts'
import { checkDecoy, DEFAULT_DECOY } from '../web/decoy.ts'
import type { Trust } from '../web/forwarded-for.ts'
import { parseTrust } from '../web/forwarded-for.ts'
import { parseFrontUrl } from './front-url.ts'

/** The version of webtunnel-server whose lines look like ours, so that a public line does not say which program serves it. */
const VERSION = '0.0.7'

export interface ServerArguments {
  readonly url: string
  /** The path of the requests that ask for the tunnel. */
  readonly path: string
  readonly trust: Trust
  readonly decoy: string | undefined
  /** Undefined if a front speaks TLS. */
  readonly tls: CertificatePaths | undefined
}

/** Reads the options. Throws PT_ARGS, and names the one that is missing or malformed. */
export function readServerArguments(args: Args): ServerArguments {
  const url = args.get('url')
  if (url === undefined) throw new ArgumentError('url')
  return {
    url,
    path: readPath(args) ?? parseFrontUrl(url).path,
    trust: parseTrust(args.get('trust')),
    decoy: args.get('decoy'),
    tls: readTls(args),
  }
}

/** The arguments of the bridge line, in the order of webtunnel-server. `keys` are those that a client knows. */
export function announcedArgs(args: Args, keys: readonly string[]): Args {
  const known = [...args].filter(([key]) => keys.includes(key))
  const all = args.has('ver') ? known : [...known, ['ver', VERSION] as const]
  return Args.from(all.sort(([one], [other]) => (one < other ? -1 : Number(one > other))))
}

function readPath(args: Args): string | undefined {
  const path = args.get('path')
  if (path === undefined || /^\/[\x21-\x7e]*$/.test(path)) return path
  throw new ArgumentError('path', 'it is no path of printable ASCII that begins with /')
}

function readTls(args: Args): CertificatePaths | undefined {
  const [cert, key] = [args.get('tls-cert'), args.get('tls-key')]
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined) throw new ArgumentError('tls-cert', 'it is missing, although there is a tls-key')
  if (key === undefined) throw new ArgumentError('tls-key', 'it is missing, although there is a tls-cert')
  if (!isAbsolute(cert)) throw new ArgumentError('tls-cert', 'it is no absolute path')
  if (!isAbsolute(key)) throw new ArgumentError('tls-key', 'it is no absolute path')
  return { cert, key }
}

/** Everything that can be said without a connection about the options that are the server's own, and about its url. */
export function checkServer(args: Args): ArgumentFinding[] {
  return [
    ...faultsOf(
      () => readPath(args),
      () => parseTrust(args.get('trust')),
      () => checkDecoy(args.get('decoy')),
      () => readTls(args),
    ),
    ...strangeUrl(args.get('url')),
  ]
}

/** Gives `announced` back. Throws PT_ARGS if a value has no place in a bridge line, whose fields are separated by blanks. */
export function requireAnnounceable(announced: Args): Args {
  const bad = [...announced].find(([, value]) => !/^[\x21-\x7e]*$/.test(value))
  if (bad === undefined) return announced
  throw new ArgumentError(bad[0], 'it holds a blank, or a character that is not ASCII, which no bridge line can carry')
}

function strangeUrl(url: string | undefined): ArgumentFinding[] {
  if (url === undefined || faultsOf(() => parseFrontUrl(url)).length > 0) return []
  const { path, host } = parseFrontUrl(url)
  return [
    ...(path === '/'
      ? [warning('url', 'it has no path, so each visitor who asks for a WebSocket finds the bridge')]
      : []),
    ...(path.startsWith('//')
      ? [warning('url', 'its path begins with two slashes, which lyrebird does not send')]
      : []),
    ...(host.includes(':') ? [warning('url', 'its host is an IPv6 address, to which lyrebird cannot connect')] : []),
  ]
}

export const serverRows: readonly ArgumentRow[] = [
  {
    role: 'server',
    key: 'url',
    needed: 'yes',
    form: '`https://host[:port]/path`',
    meaning: 'what clients ask for; its path is the secret of the bridge. It goes into the bridge line',
  },
  {
    role: 'server',
    key: 'path',
    needed: 'no; the default is the path of `url`',
    form: 'a path',
    meaning: 'the path of the requests as they come from the front, if that changes it',
  },
  {
    role: 'server',
    key: 'decoy',
    needed: `no; the default is ${DEFAULT_DECOY}`,
    form: '`nginx`, `nginx/1.22.1`, `caddy`, `haproxy`, or the absolute path of a folder',
    meaning:
      'what everybody else sees: the page "not found" of that web server, or the files of the folder, which are read at the start',
  },
  {
    role: 'server',
    key: 'trust',
    needed: 'no; this machine is trusted in any case',
    form: 'IP addresses and subnets with commas between them',
    meaning: 'the fronts whose `X-Forwarded-For` says the address of the client',
  },
  {
    role: 'server',
    key: 'tls-cert',
    needed: 'if there is no front that speaks TLS',
    form: 'the absolute path of a file in PEM',
    meaning: 'the chain of certificates; it is read again when it changes',
  },
  {
    role: 'server',
    key: 'tls-key',
    needed: 'with `tls-cert`',
    form: 'the absolute path of a file in PEM',
    meaning: 'the key of the certificate; it is read again when it changes',
  },
]
