/**
 * The options of a meek server.
 *
 *     url=… front=… targets=… utls=… profile=…    for clients: they stand in the bridge line as they are
 *     address=ip:port                             the address of the bridge line
 *     path=… trust=… decoy=… tls-cert=… tls-key=… for the server alone
 */
import { isAbsolute } from 'node:path'
import type { Address, Args, ArgumentFinding } from '../../ipc/index.ts'
import { parseAddress } from '../../ipc/index.ts'
import type { ArgumentRow } from '../argument.ts'
import { ArgumentError, faultsOf, keysOf, unknownKeys, warning } from '../argument.ts'
import { pathOf } from '../web/web-answer.ts'
import type { CertificatePaths } from '../web/certificate-files.ts'
import { checkDecoy, DEFAULT_DECOY } from '../web/decoy.ts'
import { parseTrust } from '../web/forwarded-for.ts'
import { profileOf } from '../web/utls.ts'
import { readRoutes } from './routes.ts'

/** The options that are told to clients, in the order of the bridge line. */
const forClients = ['url', 'front', 'targets', 'utls', 'profile'] as const

export const serverRows: readonly ArgumentRow[] = [
  {
    role: 'server',
    key: 'url',
    needed: 'no; without it every path is taken',
    form: 'an https or http URL',
    meaning: 'the URL of clients, for the bridge line. Requests for another path get the decoy',
  },
  {
    role: 'server',
    key: 'front',
    needed: 'no',
    form: 'a host, or a host and a port',
    meaning: 'for the bridge line',
  },
  {
    role: 'server',
    key: 'targets',
    needed: 'no',
    form: '`url|front+front,url|front`',
    meaning: 'for the bridge line, in place of `url` and `front`; the paths of its URLs are taken',
  },
  {
    role: 'server',
    key: 'utls',
    needed: 'no',
    form: "one of lyrebird's names",
    meaning: 'for the bridge line',
  },
  {
    role: 'server',
    key: 'profile',
    needed: 'no',
    form: '`auto`, `chromium`, `firefox` or `node`',
    meaning: 'for the bridge line',
  },
  {
    role: 'server',
    key: 'address',
    needed: 'no; the default is where the server listens',
    form: 'IP:PORT',
    meaning: 'the address of the bridge line; clients of meek do not connect to it',
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
    key: 'trust',
    needed: 'no; the default is this machine alone',
    form: 'IP addresses and subnets, with commas between them',
    meaning: 'the fronts whose X-Forwarded-For and Meek-IP say the address of a client',
  },
  {
    role: 'server',
    key: 'decoy',
    needed: `no; the default is ${DEFAULT_DECOY}`,
    form: '`nginx`, `nginx/1.22.1`, `caddy`, `haproxy`, or the absolute path of a folder',
    meaning: 'what everybody else is shown: the page "not found" of that web server, or the files of the folder',
  },
  {
    role: 'server',
    key: 'tls-cert',
    needed: 'with `tls-key`, if there is no web server in front',
    form: 'the absolute path of a file in PEM',
    meaning: 'the certificate and its chain; a file that is replaced is read again',
  },
  {
    role: 'server',
    key: 'tls-key',
    needed: 'with `tls-cert`',
    form: 'the absolute path of a file in PEM',
    meaning: 'the key of the certificate',
  },
]

export function checkServer(args: Args): ArgumentFinding[] {
  return [
    ...faultsOf(
      () => readPaths(args),
      () => readLine(args),
      () => profileOf({ utls: args.get('utls'), profile: args.get('profile') }, 'page'),
      () => readAddress(args),
      () => parseTrust(args.get('trust')),
      () => checkDecoy(args.get('decoy')),
      () => readCertificatePaths(args),
    ),
    ...(['url', 'targets', 'path'].some((key) => args.has(key))
      ? []
      : [warning('url', 'without it every visitor who finds the server can use it')]),
    ...unknownKeys(args, 'meek', keysOf(serverRows, 'server')),
  ]
}

/** The paths that belong to sessions; none if the options name neither a path nor a url. Throws PT_ARGS. */
export function readPaths(args: Args): string[] {
  const path = args.get('path')
  if (path !== undefined && !/^\/[\x21-\x7e]*$/.test(path)) {
    throw new ArgumentError('path', 'it is no path of printable ASCII that begins with /')
  }
  if (path !== undefined) return [path]
  if (!args.has('url') && !args.has('targets')) return []
  return [...new Set(readRoutes(args).map(({ path }) => pathOf(path)))]
}

/** What clients are told. Throws PT_ARGS for a value that has no place in a bridge line, whose fields are separated by blanks. */
export function readLine(args: Args): Record<string, string> {
  const pairs = forClients.map((key) => [key, args.get(key)] as const)
  const bad = pairs.find(([, value]) => value !== undefined && !/^[\x21-\x7e]*$/.test(value))
  if (bad !== undefined) throw new ArgumentError(bad[0], 'it holds a blank, or a character that is not ASCII')
  return Object.fromEntries(
    pairs.filter((pair): pair is [(typeof forClients)[number], string] => pair[1] !== undefined),
  )
}

/** What SMETHOD announces, if it is not the address of the listener. Throws PT_ARGS. */
export function readAddress(args: Args): Address | undefined {
  const text = args.get('address')
  if (text === undefined) return undefined
  try {
    const address = parseAddress(text)
    if (address.port > 0) return address
  } catch {
    // The message of the parser repeats the text.
  }
  throw new ArgumentError('address', 'it is no IP address with a port, such as 203.0.113.80:443')
}

/** Undefined if the server is not to speak TLS. Throws PT_ARGS. */
export function readCertificatePaths(args: Args): CertificatePaths | undefined {
  const [cert, key] = [args.get('tls-cert'), args.get('tls-key')]
  if (cert === undefined && key === undefined) return undefined
  return { cert: readPath('tls-cert', cert), key: readPath('tls-key', key) }
}

function readPath(key: string, path: string | undefined): string {
  if (path === undefined) throw new ArgumentError(key)
  if (!isAbsolute(path)) throw new ArgumentError(key, 'it is no absolute path')
  return path
}
