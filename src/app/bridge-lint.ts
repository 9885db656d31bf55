/**
 * What is wrong with a bridge line, all of it at once and in words for whoever pasted it.
 *
 *     error     no connection can come of it
 *     warning   it may work, and is probably not what was meant
 *
 * Findings name fields and repeat no address and no value: they may be read over a shoulder.
 */
import { isIP } from 'node:net'
import { parseTarget } from '../ipc/index.ts'
import type { BridgeFields } from './bridge-line.ts'
import { splitBridgeLine } from './bridge-line.ts'
import { specialRange } from './special-addresses.ts'

export interface Finding {
  readonly severity: 'error' | 'warning'
  /** `transport`, `address`, `fingerprint`, `line`, or the key of an argument. */
  readonly field: string
  readonly message: string
}

/** Which arguments a transport must have, and how each is told to be right. */
type Rules = Readonly<Record<string, (args: ReadonlyMap<string, string>) => Finding[]>>

const rules: Rules = {
  obfs4: (args) => [...checkIdentity(args), ...checkIatMode(args)],
  scramblesuit: (args) =>
    checkValue(args, 'password', /^[A-Z2-7]{32}$/i, 'is not the 32 characters of base32 that a password has'),
  webtunnel: checkUrl,
  meek_lite: checkUrl,
}

/** Everything that can be said about `line` without a connection; empty where nothing is wrong. */
export function lintBridgeLine(line: string): Finding[] {
  const fields = splitBridgeLine(line)
  const { transport, address, fingerprint } = fields
  if (transport === undefined && address === undefined && fields.args.length === 0)
    return [error('line', 'it is empty')]
  return [
    ...lintCharacters(line),
    ...lintTransport(fields),
    ...lintAddress(transport, address),
    ...lintFingerprint(fingerprint),
    ...lintArguments(fields),
  ]
}

/** The findings of each line, those among them that only several lines have: the same bridge twice. */
export function lintBridgeLines(lines: readonly string[]): Finding[][] {
  const seen = new Map<string, number>()
  return lines.map((line, at) => {
    const { transport, address } = splitBridgeLine(line)
    const findings = lintBridgeLine(line)
    const key = `${transport} ${address}`.toLowerCase()
    const first = seen.get(key)
    if (first === undefined) seen.set(key, at)
    // webtunnel's address is made up, so two bridges may well have the same.
    else if (transport !== 'webtunnel') findings.push(warning('line', `the same bridge as line ${first + 1}`))
    return findings
  })
}

function lintCharacters(line: string): Finding[] {
  const findings: Finding[] = []
  if (/[\u200b-\u200f\u2060\ufeff\u00ad]/.test(line)) {
    findings.push(error('line', 'it holds an invisible character; type it anew, or copy it from another place'))
  }
  if (/[\u2018-\u201f"']/.test(line)) findings.push(error('line', 'it holds a quotation mark'))
  if (/[\r\n]/.test(line.trim())) findings.push(error('line', 'it is more than one line'))
  return findings
}

function lintTransport({ transport, address }: BridgeFields): Finding[] {
  if (transport !== undefined) return []
  if (address !== undefined && (isPlaceholder(address) || looksLikeAddress(address))) {
    return [
      error('transport', 'a plain bridge line, without a transport: only Tor itself can use it, and it hides nothing'),
    ]
  }
  return [error('transport', 'the line does not start with the name of a transport, such as obfs4')]
}

function lintAddress(transport: string | undefined, address: string | undefined): Finding[] {
  if (address === undefined) return [error('address', 'it is missing')]
  if (isPlaceholder(address)) {
    return [error('address', 'it is a placeholder: put the address and the port of the bridge in its place')]
  }
  try {
    const { host, port } = parseTarget(address)
    if (port === 0) return [error('address', 'the port is 0')]
    if (isIP(host) === 0) return [warning('address', 'it is a host name; Tor takes IP addresses only')]
    return lintHost(transport, host)
  } catch (cause) {
    const bare = isIP(address.replace(/^\[|\]$/g, '')) !== 0
    return [error('address', bare ? 'the port is missing' : (cause as Error).message)]
  }
}

function lintHost(transport: string | undefined, host: string): Finding[] {
  const range = specialRange(host)
  // webtunnel and snowflake lines have an address for the sake of having one.
  if (transport === 'webtunnel' || transport === 'snowflake' || transport === 'meek_lite') {
    if (range !== undefined && range !== 'global') return []
    return [warning('address', `${transport} does not use it; usually it is one of 2001:db8::/32 or 192.0.2.0/24`)]
  }
  if (range === 'documentation') {
    return [error('address', 'it is a placeholder of documentation (192.0.2.x and the like), nobody’s address')]
  }
  if (range === 'unspecified') return [error('address', 'it is the address to listen on, not one to connect to')]
  if (range === undefined || range === 'global') return []
  return [warning('address', `it is a ${range} address, reachable from this machine or this network only`)]
}

function lintFingerprint(fields: readonly string[]): Finding[] {
  if (fields.length === 0) return []
  if (isPlaceholder(fields[0]!)) {
    return [error('fingerprint', 'it is a placeholder: leave it out, or put the bridge’s own in its place')]
  }
  const text = fields.join('').replace(/^\$/, '')
  if (!/^[0-9a-fA-F]*$/.test(text)) return [error('fingerprint', 'it holds other characters than hex digits')]
  if (text.length !== 40) {
    return [error('fingerprint', `it has ${text.length} hex digits instead of 40; was all of it copied?`)]
  }
  return fields.length > 1 || fields[0]!.startsWith('$')
    ? [error('fingerprint', 'write it as 40 hex digits, without spaces and without $')]
    : []
}

function lintArguments({ transport, args }: BridgeFields): Finding[] {
  const findings: Finding[] = []
  const values = new Map<string, string>()
  for (const field of args) {
    const at = field.indexOf('=')
    if (at <= 0) {
      findings.push(error('line', 'behind the first argument comes something that is no key=value'))
      continue
    }
    const key = field.slice(0, at)
    if (values.has(key)) findings.push(warning(key, 'it comes more than once; the first one counts'))
    else values.set(key, field.slice(at + 1))
  }
  for (const [key, value] of values) if (value === '') findings.push(error(key, 'it is empty'))
  const rule = Object.hasOwn(rules, transport ?? '') ? rules[transport!] : undefined
  return [...findings, ...(rule?.(values) ?? [])]
}

const CERT_CHARACTERS = 70

function checkIdentity(args: ReadonlyMap<string, string>): Finding[] {
  const cert = args.get('cert')
  if (cert === undefined) {
    if (!args.has('node-id') && !args.has('public-key')) {
      return [error('cert', 'it is missing, and without it nothing can be connected')]
    }
    return [
      ...checkValue(args, 'node-id', /^[0-9a-f]{40}$/i, 'is not 40 hex digits'),
      ...checkValue(args, 'public-key', /^[0-9a-f]{64}$/i, 'is not 64 hex digits'),
    ]
  }
  if (isPlaceholder(cert)) return [error('cert', 'it is a placeholder: put the bridge’s own in its place')]
  const bare = cert.replace(/={1,2}$/, '')
  if (cert !== '' && !/^[A-Za-z0-9+/_-]*$/.test(bare)) return [error('cert', 'it holds characters that are not base64')]
  if (cert !== '' && bare.length !== CERT_CHARACTERS) {
    return [error('cert', `it has ${bare.length} characters instead of ${CERT_CHARACTERS}; was all of it copied?`)]
  }
  if (bare !== cert) return [warning('cert', 'it ends with =, which obfs4proxy does not take: leave that out')]
  return /[_-]/.test(cert) ? [warning('cert', 'it is URL-safe base64, which obfs4proxy does not take')] : []
}

function checkIatMode(args: ReadonlyMap<string, string>): Finding[] {
  return checkValue(args, 'iat-mode', /^[012]$/, 'is none of 0, 1 and 2')
}

function checkUrl(args: ReadonlyMap<string, string>): Finding[] {
  return checkValue(args, 'url', /^https?:\/\/[^\s/]+/i, 'is not a URL with https:// or http://')
}

function checkValue(args: ReadonlyMap<string, string>, key: string, pattern: RegExp, why: string): Finding[] {
  const value = args.get(key)
  if (value === undefined) return [error(key, 'it is missing')]
  return value === '' || pattern.test(value) ? [] : [error(key, `it ${why}`)]
}

function isPlaceholder(text: string): boolean {
  return /[<>]|^(?:ip|address|host|your[-_.]?\w*)(?:[-_ ]?address)?:(?:port|\d+)$/i.test(text)
}

function looksLikeAddress(text: string): boolean {
  return /^\[?[\w.:]+\]?:\d+$/.test(text) || isIP(text) !== 0
}

function error(field: string, message: string): Finding {
  return { severity: 'error', field, message }
}

function warning(field: string, message: string): Finding {
  return { severity: 'warning', field, message }
}
