/** What the configuration of a front is made of. No text in it needs quotation marks in the language of any web server. */
import { isIP } from 'node:net'
import type { Address } from '../../ipc/index.ts'
import { parseAddress } from '../../ipc/index.ts'
import type { TunnelUrl } from './tunnel-url.ts'

export interface FrontPlan extends TunnelUrl {
  /** The address at which the PT listens. */
  readonly pt: Address
  /** The address at which the front listens; undefined for all of them. */
  readonly bind: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
  /** The folder of the web site. */
  readonly root: string | undefined
  /** The web server that has the site. */
  readonly site: Address | undefined
  readonly mode: 'tcp' | 'http'
}

/** The address at which a PT listens, as its front connects to it. */
export function ptAddress(text: string): Address {
  const address = parseAddress(text)
  if (address.port === 0) throw new Error('the port is 0')
  if (/^(?:0\.0\.0\.0|::)$/.test(address.host)) {
    throw new Error('it is every address of the machine: write the one that the front connects to, such as 127.0.0.1')
  }
  return address
}

export function bindAddress(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, '$1')
  if (isIP(host) === 0 || host.includes('%')) throw new Error('it is no IP address')
  return host
}

/** A path of files that web servers read as it stands. */
export function plainPath(text: string): string {
  if (/^\/[\w./@+,:=-]*$/.test(text)) return text
  throw new Error('expected an absolute path of letters, digits and . / @ + , : = _ -')
}

export function modeOf(word: string): 'tcp' | 'http' {
  if (word === 'tcp' || word === 'http') return word
  throw new Error('expected tcp or http')
}
