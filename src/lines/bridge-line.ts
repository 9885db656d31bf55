/**
 * Bridge lines, as Tor's users paste them, into values and back; also as JSON.
 *
 *     [Bridge] <transport> <address>:<port> [<fingerprint>] [<key>=<value> …]
 *     Bridge obfs4 192.0.2.7:443 0123456789ABCDEF0123456789ABCDEF01234567 cert=AbC… iat-mode=0
 *     webtunnel [2001:db8::1]:443 url=https://example.com/path ver=0.0.3
 *
 * Fields are parted by white space and nothing is escaped, so a value cannot hold any. A field that begins with # starts a
 * comment. What is read is kept: the order of the arguments, those that come twice, and the letters of the fingerprint. Errors
 * repeat no address and no value (ANON-4).
 */
import { PtError } from '../error.ts'
import type { ArgsInit } from '../ipc/index.ts'
import { Args, formatAddress, isTransportName, parseTarget } from '../ipc/index.ts'
import type { Checks } from '../options.ts'
import { aString, checkArgument, checkOptions, optional, someArgs } from '../options.ts'

/** A bridge line as a value. */
export interface BridgeLine {
  readonly transport: string
  /** `host:port`, IPv6 in brackets. */
  readonly address: string
  /** 40 hex digits, as they came. Only Tor uses them. */
  readonly fingerprint?: string
  /** The per-connection arguments, in order. */
  readonly args: Args
}

/** What JSON holds: the arguments as pairs, or as an object whose values may be lists. */
export interface BridgeLineInit {
  readonly transport: string
  readonly address: string
  readonly fingerprint?: string | undefined
  readonly args?: ArgsInit
}

/** The fields of a line before their contents are checked. */
export interface BridgeFields {
  /** True if the line starts with the keyword of torrc. */
  readonly keyword: boolean
  readonly transport: string | undefined
  readonly address: string | undefined
  /** The fields between the address and the first argument. */
  readonly fingerprint: readonly string[]
  /** The fields from the first one with a `=` on. */
  readonly args: readonly string[]
}

const FINGERPRINT = /^[0-9a-fA-F]{40}$/

/** Parts a line into its fields, whatever they hold. A first field that is no transport name is taken for the address. */
export function splitBridgeLine(line: string): BridgeFields {
  const fields = withPlaceholders(withoutComment(line).trim())
  const keyword = /^bridge$/i.test(fields[0] ?? '')
  if (keyword) fields.shift()
  const transport = isTransportName(fields[0] ?? '') ? fields.shift() : undefined
  const address = fields[0]?.includes('=') === true ? undefined : fields.shift()
  const from = fields.findIndex((field) => field.includes('='))
  const end = from === -1 ? fields.length : from
  return { keyword, transport, address, fingerprint: fields.slice(0, end), args: fields.slice(end) }
}

/** Removes the comment: tor takes everything after a # for one. */
export function withoutComment(line: string): string {
  return line.replace(/(?:^|\s)#[^\r\n]*/g, '')
}

/** Splits a line by white space; a placeholder such as `<IP ADDRESS>:<PORT>` stays one field. A placeholder holds no `=`, so that two arguments are never taken for one. */
function withPlaceholders(line: string): string[] {
  return line.match(/(?:<[^<>=]*>|\S)+/g) ?? []
}

/** Reads a bridge line, with or without `Bridge` before it. Throws PT_BRIDGE_LINE, and names the field. */
export function parseBridgeLine(line: string): BridgeLine {
  checkArgument('parseBridgeLine', 'line', line, aString)
  const { transport, address, fingerprint, args } = splitBridgeLine(line)
  if (transport === undefined && address === undefined) throw bad('it is empty')
  if (transport === undefined) throw bad('there is no transport before the address: a plain bridge needs none of this')
  if (address === undefined) throw bad(`there is no address after ${transport}`)
  if (fingerprint.length > 1) throw bad('there is more than a fingerprint between the address and the arguments')
  return bridgeLine({ transport, address, fingerprint: fingerprint[0], args: args.map(pairOf) })
}

/** Reads what JSON.parse gave for a line's JSON, or anything of that shape. Throws PT_BRIDGE_LINE. */
export function bridgeLine(init: BridgeLineInit): BridgeLine {
  return readInit('bridgeLine', init)
}

function readInit(call: string, init: BridgeLineInit): BridgeLine {
  checkOptions(call, init, bridgeLineChecks)
  const { transport, address, fingerprint, args = [] } = init
  if (!isTransportName(transport)) throw bad('the transport is not a C identifier')
  const target = addressOf(address)
  if (fingerprint !== undefined && !FINGERPRINT.test(fingerprint)) {
    throw bad('the fingerprint is not 40 hex digits')
  }
  const checked = Args.from(args)
  for (const [key, value] of checked) requirePair(key, value)
  return { transport, address: target, ...(fingerprint === undefined ? {} : { fingerprint }), args: checked }
}

const bridgeLineChecks: Checks<BridgeLineInit> = {
  transport: aString,
  address: aString,
  fingerprint: optional(aString),
  args: optional(someArgs),
}

/** Writes a line, without `Bridge`; reads back as the same value. Throws PT_BRIDGE_LINE for what no line can hold. */
export function formatBridgeLine(init: BridgeLineInit): string {
  const { transport, address, fingerprint, args } = readInit('formatBridgeLine', init)
  const pairs = [...args].map(([key, value]) => `${key}=${value}`)
  return [transport, address, ...(fingerprint === undefined ? [] : [fingerprint]), ...pairs].join(' ')
}

/** Makes the value for JSON; `bridgeLine` reads it back. */
export function bridgeLineToJson(line: BridgeLine): BridgeLineInit {
  checkOptions('bridgeLineToJson', line, bridgeLineChecks)
  return { ...line, args: line.args.toJSON() }
}

function addressOf(text: string): string {
  try {
    const address = parseTarget(text)
    if (address.port === 0) throw bad('the port is 0')
    return formatAddress(address)
  } catch (error) {
    const why = /[<>]/.test(text) ? 'a placeholder stands in place of the address' : (error as Error).message
    throw bad(why, error)
  }
}

function pairOf(field: string): [string, string] {
  const at = field.indexOf('=')
  if (at === -1) throw bad('after the first argument comes something that is no key=value')
  return [field.slice(0, at), field.slice(at + 1)]
}

function requirePair(key: string, value: string): void {
  if (key === '') throw bad('an argument has no key before its =')
  if (/[\s=]/.test(key)) throw bad('the key of an argument holds white space or =')
  if (key.startsWith('#')) throw bad('the key of an argument begins with #, which starts a comment')
  if (/\s/.test(value)) throw bad(`the value of ${key} holds white space`)
}

function bad(why: string, cause?: unknown): PtError {
  return new PtError('PT_BRIDGE_LINE', `bridge line: ${why.replace(/^bridge line: /, '')}`, {
    cause,
    stage: 'argument',
  })
}
