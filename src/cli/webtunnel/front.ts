/** `postern webtunnel front`: the configuration of the web server in front of a bridge. */
import type { Address } from '../../ipc/index.ts'
import { parseTarget } from '../../ipc/index.ts'
import { path, text } from '../tunnels/schema/kinds.ts'
import type { OptionsOf } from '../tunnels/schema/option.ts'
import { keyOf, optional, withDefault } from '../tunnels/schema/option.ts'
import type { Given } from '../tunnels/schema/read.ts'
import { readFlags } from '../tunnels/schema/read.ts'
import { UsageError } from '../usage.ts'
import { bindAddress, modeOf, plainPath, ptAddress } from './front-plan.ts'
import type { FrontName } from './fronts.ts'
import { frontNames, fronts } from './fronts.ts'
import { parseTunnelUrl, weaknessOf } from './tunnel-url.ts'
import type { UrlValues } from './values.ts'
import { bridgeOptions, refuseSurplus, urlOptions } from './values.ts'

const command = 'webtunnel front'

interface FrontValues extends UrlValues {
  readonly listen: Address
  readonly bind: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
  readonly root: string | undefined
  readonly site: Address | undefined
  readonly mode: 'tcp' | 'http'
}

const aFile = path(plainPath)

export const frontOptions: OptionsOf<FrontValues> = {
  ...urlOptions,
  listen: withDefault(
    text(ptAddress),
    { host: '127.0.0.1', port: 15_000 },
    'IP:PORT',
    'the address at which the bridge listens',
    { defaultText: '127.0.0.1:15000' },
  ),
  bind: optional(text(bindAddress), 'IP', 'the address that the front listens on; without it all of them'),
  certificate: optional(
    aFile,
    'FILE',
    'the certificates; for haproxy with the key in the same file.\nWithout it nginx has those of certbot, and caddy gets its own',
    { flag: 'cert' },
  ),
  key: optional(aFile, 'FILE', 'the key of the certificate'),
  root: optional(aFile, 'DIR', "nginx, caddy: the folder of the host's web site (default /var/www/html)"),
  site: optional(text(parseTarget), 'HOST:PORT', 'haproxy: the web server that has the site'),
  mode: withDefault(
    text(modeOf),
    'tcp',
    'MODE',
    'haproxy: tcp for the clients of all programs, or http for those of Postern alone, whose addresses the bridge\nthen learns',
    { defaultText: 'tcp' },
  ),
}

/** Throws UsageError. */
export function printFront([word, ...surplus]: readonly string[], given: Given): void {
  const name = frontNames.find((one) => one === word)
  if (name === undefined) {
    const what = word === undefined ? '' : `there is no front ${JSON.stringify(word)}: `
    throw new UsageError(`${command}: ${what}expected ${frontNames.join(', ')}`)
  }
  refuseSurplus(surplus)
  refuseForeign(name, given)
  const { optionFile, url: typed, listen, ...plan } = readFlags(command, frontOptions, given)
  requirePair(name, plan.certificate, plan.key)
  const url = parseTunnelUrl(bridgeOptions(command, { optionFile, url: typed }).url)
  const weakness = weaknessOf(url)
  if (weakness !== undefined) process.stderr.write(`postern: ${weakness}\n`)
  process.stdout.write(fronts[name].print({ ...plan, ...url, pt: listen }))
}

/** Refuses an option for which this front has no place, as its user means something by it. */
function refuseForeign(name: FrontName, given: Given): void {
  const foreign = fronts[name].lacks.find((property) => given[keyOf(property)] !== undefined)
  if (foreign !== undefined) throw new UsageError(`--${keyOf(foreign)}: ${name} has no use for it`)
}

function requirePair(name: FrontName, certificate: string | undefined, key: string | undefined): void {
  if (key !== undefined && certificate === undefined) throw new UsageError('--key: --cert is missing, its certificate')
  if (name === 'haproxy' || certificate === undefined || key !== undefined) return
  throw new UsageError('--cert: --key is missing, the file of its key')
}
