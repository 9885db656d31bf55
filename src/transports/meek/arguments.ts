/**
 * The arguments of meek and meek_lite. The client's say where the requests go; those of the server are in server-arguments.ts.
 *
 *     client   url=https://… front=…              or targets=url|front+front,url|front in place of both
 *              utls=… profile=…
 */
import type { Args, ArgumentFinding } from '../../ipc/index.ts'
import type { ArgumentRow, TransportArguments } from '../argument.ts'
import { faultsOf, keysOf, unknownKeys, warning } from '../argument.ts'
import { profileOf } from '../web/utls.ts'
import { readRoutes } from './routes.ts'
import { checkServer, serverRows } from './server-arguments.ts'

const clientRows: readonly ArgumentRow[] = [
  {
    role: 'client',
    key: 'url',
    needed: 'yes, unless there are `targets`',
    form: 'an https or http URL; its query is sent too',
    meaning: 'the server. With a `front` its host stands only inside the encrypted requests',
  },
  {
    role: 'client',
    key: 'front',
    needed: 'no; without it the host of `url` is connected to',
    form: 'a host, or a host and a port',
    meaning: 'what is connected to, and named in the clear: another host of the same CDN',
  },
  {
    role: 'client',
    key: 'targets',
    needed: 'no',
    form: '`url|front+front,url|front`; a front may be empty',
    meaning: 'several servers, each with its fronts, in place of `url` and `front`; they are tried in random order',
  },
  {
    role: 'client',
    key: 'utls',
    needed: 'no; the default is Chromium',
    form: "one of lyrebird's names, such as `hellofirefox_auto` or `none`",
    meaning: "whose ClientHello is sent: that of today's browser of this family",
  },
  {
    role: 'client',
    key: 'profile',
    needed: 'no',
    form: '`auto`, `chromium`, `firefox` or `node`',
    meaning: 'the same, and it counts more than `utls`; except for `auto` no second hello is tried',
  },
]

function checkClient(args: Args, name: string): ArgumentFinding[] {
  const hello = { utls: args.get('utls'), profile: args.get('profile') }
  return [
    ...faultsOf(
      () => readRoutes(args),
      () => profileOf(hello, 'page'),
    ),
    ...strange(args),
    ...unknownKeys(args, name, keysOf(clientRows, 'client')),
  ]
}

function strange(args: Args): ArgumentFinding[] {
  const targets = args.get('targets')
  const plain = (targets ?? args.get('url') ?? '').split(',').some((url) => /^http:/i.test(url))
  const unused = targets === undefined ? [] : ['url', 'front'].filter((key) => args.has(key))
  return [
    ...unused.map((key) => warning(key, 'it does not count, as there are targets')),
    ...(plain
      ? [
          warning(
            targets === undefined ? 'url' : 'targets',
            'it is not encrypted: everybody on the way reads and can change it',
          ),
        ]
      : []),
  ]
}

export const meekArguments: TransportArguments = {
  rows: [...clientRows, ...serverRows],
  check: (args, role) => (role === 'client' ? checkClient(args, 'meek') : checkServer(args)),
}

/** meek_lite has no server. */
export const meekLiteArguments: TransportArguments = {
  rows: clientRows,
  check: (args, role) => (role === 'client' ? checkClient(args, 'meek_lite') : []),
}
