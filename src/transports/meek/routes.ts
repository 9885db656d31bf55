/**
 * Where the requests of a meek client go: what the arguments `url`, `front` and `targets` of a bridge line mean.
 *
 *     url=https://server.example/path?query front=cdn.example:8443
 *         connects to    cdn.example:8443, which TLS names too
 *         asks for       POST /path?query, Host: server.example
 *
 *     targets=https://a.example/|cdn.example+cdn.test,https://b.example/|
 *         three routes: the first url by two fronts, and the second one without a front
 */
import type { Address, Args } from '../../ipc/index.ts'
import { formatAddress, parseTarget } from '../../ipc/index.ts'
import { ArgumentError } from '../argument.ts'

/** One way to the server. */
export interface Route {
  /** False for a url with http://, which hides nothing. */
  readonly secure: boolean
  /** `host:port` to connect to, IPv6 in brackets. */
  readonly target: string
  /** The host of `target`, without brackets: the front says it in its certificate. */
  readonly servername: string
  /** The host of the url, with its port if that is not the usual one: what Host or :authority says. */
  readonly authority: string
  /** The path of the url, with its query. */
  readonly path: string
}

/** The routes that the arguments name, in their order; at least one. `url` and `front` do not count if there are `targets`, as with lyrebird. */
export function readRoutes(args: Args): readonly Route[] {
  const [targets, url, front] = [args.get('targets'), args.get('url'), args.get('front')]
  if (targets !== undefined) return targets.split(',').flatMap(readTarget)
  if (url === undefined) throw new ArgumentError('url')
  return [routeOf('url', readUrl('url', url), front === undefined ? undefined : ['front', front])]
}

/** A url and its fronts. The fronts stand after the last bar, as the url may hold what separates them. */
function readTarget(item: string): Route[] {
  const bar = item.lastIndexOf('|')
  if (bar === -1) throw new ArgumentError('targets', "it has an item without a '|' between the url and its fronts")
  const url = readUrl('targets', item.slice(0, bar))
  const fronts = item.slice(bar + 1).split('+')
  return fronts.map((front) => routeOf('targets', url, front === '' ? undefined : ['targets', front]))
}

function readUrl(key: string, text: string): URL {
  if (!/^https?:\/\/[^\s/]/i.test(text)) throw new ArgumentError(key, 'it is not a URL with https:// or http://')
  if (!URL.canParse(text)) throw new ArgumentError(key, 'it is a malformed URL')
  return new URL(text)
}

function routeOf(key: string, url: URL, front: readonly [key: string, text: string] | undefined): Route {
  const usualPort = url.protocol === 'https:' ? 443 : 80
  const own = readHost(key, url.host, usualPort)
  const address = front === undefined ? own : readHost(...front, usualPort)
  return {
    secure: url.protocol === 'https:',
    target: formatAddress(address),
    servername: address.host,
    authority: url.host,
    path: `${url.pathname}${url.search}`,
  }
}

/** Reads `host` or `host:port`, IPv6 in brackets. */
function readHost(key: string, text: string, usualPort: number): Address {
  const address = addressOf(/:\d+$/.test(text) ? text : `${text}:${usualPort}`)
  if (address === undefined || address.port === 0) {
    throw new ArgumentError(
      key,
      key === 'front' ? 'it is not a host, or a host and its port' : 'it names no host that can be dialled',
    )
  }
  return address
}

function addressOf(text: string): Address | undefined {
  try {
    return parseTarget(text)
  } catch {
    return undefined
  }
}
