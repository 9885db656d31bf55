/**
 * What is wrong with a bridge line, all of it at once and in words for the person who pasted it.
 *
 *     error     no connection can come of it
 *     warning   it may work, and is probably not what was meant
 *
 * Findings name fields and repeat no address and no value: they may be read over a shoulder.
 */
import { isIP } from 'node:net'
import { isPtError } from '../error.ts'
import { Args, CLIENT_ARGS_LIMIT, formatClientArgs, nearestName, parseTarget } from '../ipc/index.ts'
import { aString, checkArgument, listOf } from '../options.ts'
import { checkArguments } from '../transports/arguments.ts'
import type { BridgeFields } from './bridge-line.ts'
import { splitBridgeLine, withoutComment } from './bridge-line.ts'
import { addressUse, knownTransports } from './known-transports.ts'
import { specialRange } from '../addresses/special.ts'

/** One fault of a bridge line: its severity, the field that has it, and a sentence for people. */
export interface Finding {
  readonly severity: 'error' | 'warning'
  /** `transport`, `address`, `fingerprint`, `line`, or the key of an argument. */
  readonly field: string
  readonly message: string
}

/** Many times the length of a real line; a text of this length is quick to check. */
const LINE_LIMIT = 8 * 1024

/** Everything that can be said about `line` without a connection; empty if nothing is wrong. */
export function lintBridgeLine(line: string): Finding[] {
  checkArgument('lintBridgeLine', 'line', line, aString)
  if (line.length > LINE_LIMIT) return [error('line', `it has ${line.length} characters; no bridge line is so long`)]
  const fields = splitBridgeLine(line)
  const { transport, address, fingerprint } = fields
  if (transport === undefined && address === undefined && fields.args.length === 0)
    return [error('line', 'it is empty')]
  const findings = [
    ...lintCharacters(withoutComment(line)),
    ...lintShape(fields),
    ...lintTransport(line, fields),
    ...lintAddress(transport, address),
    ...lintFingerprint(fingerprint),
    ...lintArguments(fields),
  ]
  return findings.filter(
    ({ field, message }, at) => findings.findIndex((one) => one.field === field && one.message === message) === at,
  )
}

/** The findings of each line, those among them that only several lines have: the same bridge twice. */
export function lintBridgeLines(lines: readonly string[]): Finding[][] {
  checkArgument('lintBridgeLines', 'lines', lines, listOf(aString, 'strings'))
  const seen = new Map<string, number>()
  return lines.map((line, at) => {
    const { transport, address } = splitBridgeLine(line.slice(0, LINE_LIMIT))
    const findings = lintBridgeLine(line)
    const key = `${transport} ${address}`.toLowerCase()
    const first = seen.get(key)
    if (first === undefined) seen.set(key, at)
    // If the address is made up, two bridges may well have the same.
    else if (addressUse(transport) !== 'made up') findings.push(warning('line', `the same bridge as line ${first + 1}`))
    return findings
  })
}

function lintCharacters(line: string): Finding[] {
  const findings: Finding[] = []
  if (/[\u200b-\u200f\u2060\ufeff\u00ad]/.test(line)) {
    findings.push(error('line', 'it holds an invisible character; type it again, or copy it from another place'))
  }
  if (/[\0-\x08\x0e-\x1f\x7f\ufffd]/.test(line)) {
    findings.push(error('line', 'it holds bytes that are no text; was the file saved in another encoding than UTF-8?'))
  }
  if (/[\u2018-\u201f"'`]/.test(line)) findings.push(error('line', 'it holds a quotation mark'))
  if (/[\r\n]/.test(line.trim())) findings.push(error('line', 'it is more than one line'))
  if (/[,;]\s*$/.test(line)) findings.push(warning('line', 'it ends with a comma, as if it were cut out of a list'))
  return findings
}

/** Finds a second line in this one: it begins at a field without = that an address follows. */
function lintShape({ args }: BridgeFields): Finding[] {
  const another = args.some((field, at) => !field.includes('=') && looksLikeAddress(args[at + 1] ?? ''))
  return another ? [error('line', 'it is more than one bridge line: break it before each name of a transport')] : []
}

function lintTransport(line: string, { transport, address = '', args }: BridgeFields): Finding[] {
  const plain = isPlaceholder(address) || looksLikeAddress(address)
  if (transport !== undefined && (plain || knownTransports.includes(transport))) return lintName(transport)
  if (transport === undefined && plain) {
    return [
      error('transport', 'a plain bridge line, without a transport: only Tor itself can use it, and it hides nothing'),
    ]
  }
  // `meek-lite`, `obfs4:`; a name holds neither.
  const [word = ''] = line.trim().split(/\s/, 1)
  const meant = nearestName(word.replaceAll('-', '_').replace(/\W+$/, ''), knownTransports)
  if (transport === undefined && meant !== undefined) return [error('transport', `it is written ${meant}`)]
  if (args.length > 0 && line.search(/[:<]/) === -1) {
    return [
      error('transport', 'no transport and no address: it may be the rest of the line before, which was broken in two'),
    ]
  }
  const later = knownTransports.find((name) => new RegExp(`(?<![a-z0-9_])${name}(?=[\\s]+[^\\s]*[:<])`, 'i').test(line))
  if (later !== undefined) {
    return [
      error(
        'transport',
        `the line does not start with the name of its transport: leave out what stands before ${later}`,
      ),
    ]
  }
  if (transport !== undefined) return lintName(transport)
  return [error('transport', 'the line does not start with the name of a transport, such as obfs4')]
}

/** A private transport may have any name, such as that of the next obfs, so only a certain slip is an error. */
function lintName(name: string): Finding[] {
  if (knownTransports.includes(name)) return []
  const meant = nearestName(name, knownTransports)
  if (meant === undefined) return []
  if (meant === name.toLowerCase()) return [error('transport', `it is written ${meant}, in small letters`)]
  const letters = (text: string): string => text.toLowerCase().replace(/\d/g, '')
  const slip = letters(meant) !== letters(name) && letters(meant).length > 3
  return [(slip ? error : warning)('transport', `no such transport is known; is ${meant} meant?`)]
}

function lintAddress(transport: string | undefined, address: string | undefined): Finding[] {
  if (address === undefined) return [error('address', 'it is missing')]
  if (isPlaceholder(address)) {
    return [error('address', 'it is a placeholder: put the address and the port of the bridge in its place')]
  }
  try {
    const { host, port } = parseTarget(address)
    if (port === 0) return [error('address', 'the port is 0')]
    if (host.includes('%')) return [error('address', 'it has a zone (the part from % on), which Tor refuses')]
    if (isIP(host) === 0) return [warning('address', 'it is a host name; Tor takes IP addresses only')]
    return lintHost(transport, host)
  } catch (cause) {
    const bare = isIP(address.replace(/^\[|\]$/g, '')) !== 0
    return [error('address', bare ? 'the port is missing' : (cause as Error).message)]
  }
}

function lintHost(transport: string | undefined, host: string): Finding[] {
  const range = specialRange(host)
  const use = addressUse(transport)
  if (use === 'made up') {
    if (range !== undefined && range !== 'global') return []
    return [warning('address', `${transport} does not use it; usually it is one of 2001:db8::/32 or 192.0.2.0/24`)]
  }
  // The address of an unknown transport may be made up too.
  const severe = use === 'dialled' || transport === undefined ? error : warning
  if (range === 'documentation') {
    return [severe('address', 'it is a placeholder of documentation (192.0.2.x and the like), no real address')]
  }
  if (range === 'unspecified') return [severe('address', 'it is the address to listen on, not one to connect to')]
  if (range === undefined || range === 'global') return []
  return [warning('address', `it is a ${range} address, reachable from this machine or this network only`)]
}

function lintFingerprint(fields: readonly string[]): Finding[] {
  if (fields.length === 0) return []
  if (isPlaceholder(fields[0]!)) {
    return [error('fingerprint', "it is a placeholder: leave it out, or put the bridge's own in its place")]
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

function lintArguments({ transport = '', args }: BridgeFields): Finding[] {
  const findings: Finding[] = []
  const pairs: [string, string][] = []
  for (const field of args) {
    const at = field.indexOf('=')
    if (at <= 0) findings.push(error('line', 'after the first argument comes something that is no key=value'))
    else pairs.push([field.slice(0, at), field.slice(at + 1)])
  }
  const list = Args.from(pairs)
  const own = new Map(pairs.map(([key]) => [key, lintValue(key, list)]))
  const rules = checkArguments(transport, list, 'client') ?? []
  return [
    ...findings,
    ...[...own.values()].flat(),
    // An empty value or a placeholder has been reported already.
    ...rules
      .filter(({ key }) => !own.get(key)?.some(({ severity }) => severity === 'error'))
      .map(({ severity, key, message }) => ({ severity, field: key, message: hintFor(transport, key, message) })),
    ...lintSize(list),
  ]
}

function lintValue(key: string, args: Args): Finding[] {
  const values = args.getAll(key)
  const [value = ''] = values
  const entity = /&(?:amp|lt|gt|quot|apos|#\d{1,6}|#x[0-9a-f]{1,5});/i.test(value)
  return [
    ...(values.length > 1 ? [warning(key, 'it comes more than once; the first one counts')] : []),
    ...(value === '' ? [error(key, 'it is empty')] : []),
    ...(/^<[^<>]*>$/.test(value)
      ? [error(key, "it is a placeholder: put the bridge's own in its place")]
      : /[<>]/.test(value)
        ? [error(key, 'it holds < or >; was it copied out of the source of a page?')]
        : []),
    ...(entity ? [error(key, 'it holds an escape of HTML, such as &amp; for &: copy what the page shows')] : []),
    ...(value.includes('#') ? [warning(key, 'in torrc it would end before the #, which starts a comment there')] : []),
  ]
}

/** Adds to the transport's message what the line shows about the fault. */
function hintFor(transport: string, key: string, message: string): string {
  // A fingerprint stands before the arguments, and has no key.
  if (key.toLowerCase() !== 'fingerprint') return message
  return `${transport} has no argument of this name: the fingerprint stands by itself, between address and arguments`
}

/** Checks that the arguments, in their shortest form, fit into SOCKS 5. */
function lintSize(args: Args): Finding[] {
  try {
    const size = Buffer.byteLength(formatClientArgs(args, 0))
    if (size <= CLIENT_ARGS_LIMIT) return []
    return [error('line', `its arguments have ${size} bytes; a transport can be told ${CLIENT_ARGS_LIMIT}`)]
  } catch (cause) {
    if (!isPtError(cause, 'PT_ARGS')) throw cause
    return [error('line', cause.message)]
  }
}

function isPlaceholder(text: string): boolean {
  return /^(?:<[^<>]*>)+(?::(?:<[^<>]*>|\d+))?$|^(?:ip|address|host|your[-_.]?\w*)(?:[-_ ]?address)?:(?:port|\d+)$|^<[^<>]*$/i.test(
    text,
  )
}

function looksLikeAddress(text: string): boolean {
  return /^\[?[\w.:-]+\]?:\d+$/.test(text) || isIP(text) !== 0
}

function error(field: string, message: string): Finding {
  return { severity: 'error', field, message }
}

function warning(field: string, message: string): Finding {
  return { severity: 'warning', field, message }
}
