/**
 * The address of a bridge behind a web server.
 *
 *     https://example.com:8443/secret/path
 *     scheme  host       port  path
 *
 * It is read by hand, as `URL` would change the path, which is a secret that is compared byte by byte: it goes out as it was written, with
 * only those characters escaped that no request can carry. User information, query and fragment are not sent, as with lyrebird.
 */
import { domainToASCII } from 'node:url'
import { ipVersion, isHostName } from '../../ipc/address.ts'
import { ArgumentError } from '../argument.ts'

export interface FrontUrl {
  readonly isSecure: boolean
  /** A name in ASCII, or an IP address without brackets. */
  readonly host: string
  readonly port: number
  /** Begins with a slash. */
  readonly path: string
  /** True if there is something after the path, which is not sent. */
  readonly hasQuery: boolean
}

const LIMIT = 2_000

/** Reads the value of `url`. Throws PT_ARGS, and repeats nothing of it. */
export function parseFrontUrl(text: string): FrontUrl {
  const parts =
    /^(https?):\/\/(?:[^/?#@]*@)?(?:\[([^\]/?#]*)\]|([^/?#:[\]]*))(?::(\d{0,5}))?(\/[^?#]*)?([?#].*)?$/is.exec(text)
  if (parts === null || text.length > LIMIT) throw bad('it is no URL of the form https://host/path')
  const [, scheme = '', literal, name = '', digits = '', path = '/', rest] = parts
  const isSecure = scheme.toLowerCase() === 'https'
  const port = digits === '' ? (isSecure ? 443 : 80) : Number(digits)
  if (port < 1 || port > 65_535) throw bad('its port is not one of 1 to 65535')
  return { isSecure, host: hostOf(literal, name), port, path: escapePath(path), hasQuery: rest !== undefined }
}

/** The `Host` of a request, as a browser writes it: with the port if it is not that of the scheme. */
export function hostField({ isSecure, host, port }: FrontUrl): string {
  const name = ipVersion(host) === 6 ? `[${host}]` : host
  return port === (isSecure ? 443 : 80) ? name : `${name}:${port}`
}

function hostOf(literal: string | undefined, name: string): string {
  if (literal !== undefined) {
    if (ipVersion(literal) === 6 && !literal.includes('%')) return literal
    throw bad('what stands in its brackets is no IPv6 address')
  }
  if (ipVersion(name) === 4) return name
  // For a name in ASCII there is nothing to convert, and domainToASCII() would read `1.2` as an address.
  const ascii = /[^\0-\x7f]/.test(name) ? domainToASCII(name) : name.toLowerCase()
  const host = ascii.replace(/\.$/, '')
  if (isHostName(host)) return host
  throw bad(name === '' ? 'it has no host' : 'its host is neither a name nor an IP address')
}

function escapePath(path: string): string {
  if (/%(?![0-9a-f]{2})/i.test(path)) throw bad('its path holds a % that is no escape')
  if (/\p{Surrogate}/u.test(path)) throw bad('its path is not well-formed text')
  return path.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%[\]]/gu, (character) => encodeURIComponent(character))
}

function bad(why: string): ArgumentError {
  return new ArgumentError('url', why)
}
