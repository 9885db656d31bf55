/**
 * The url of a tunnel, as the configuration of a web server can hold it: every part is of characters that mean nothing there.
 *
 *     https://bridge.example:8443/kTq…          host, port and path
 */
import { isIPv6 } from 'node:net'
import { formatAddress } from '../../ipc/index.ts'
import { parseFrontUrl } from '../../transports/webtunnel/front-url.ts'

/** The port that a url of https does not name. */
export const HTTPS_PORT = 443

/** In characters: a shorter path can be found by trying. */
const LEAST_PATH = 16

export interface TunnelUrl {
  /** A name, or an IP address without brackets. */
  readonly host: string
  readonly port: number
  /** It begins with a slash. */
  readonly path: string
}

/** Reads the url of a tunnel. What it throws says why it is wrong, and does not repeat it. */
export function parseTunnelUrl(text: string): TunnelUrl {
  const { isSecure, host, port, path, hasQuery } = parse(text)
  if (!isSecure) throw new Error('it begins with http: a bridge without TLS hides nothing')
  if (hasQuery) throw new Error('it has a ? or a #: clients send nothing from there on')
  if (path === '/') {
    throw new Error('it has no path, which is the secret of the bridge; postern webtunnel url makes one')
  }
  if (!/^(?:\/[\w.~-]+)+$/.test(path) || /\/\.{1,2}(?:\/|$)/.test(path)) {
    throw new Error('its path may have letters, digits, - _ . ~ and single slashes between them')
  }
  return { host, port, path }
}

/** What the transport says of the url, without the name of its argument, as the name of the option comes before it. */
function parse(text: string): ReturnType<typeof parseFrontUrl> {
  try {
    return parseFrontUrl(text)
  } catch (error) {
    throw new Error((error as { why?: string }).why ?? (error as Error).message, { cause: error })
  }
}

/** What can be said against a url that works. */
export function weaknessOf({ path }: TunnelUrl): string | undefined {
  const length = path.length - 1
  if (length >= LEAST_PATH) return undefined
  return `the path has ${length} characters and may be guessed; postern webtunnel url makes a longer one`
}

/** The host as it stands in a url. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host
}

/** `host`, or `host:port` if the port is not the usual one. */
export function authorityOf({ host, port }: Pick<TunnelUrl, 'host' | 'port'>): string {
  return port === HTTPS_PORT ? urlHost(host) : formatAddress({ host, port })
}
