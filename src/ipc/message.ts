/**
 * Every line that a PT writes on stdout, read and written. Sections "Common Messages", "Client Messages",
 * "Server Messages", "Log Message", "Status Message".
 *
 *     VERSION 1                                   CMETHOD trebuchet socks5 127.0.0.1:19999
 *     VERSION-ERROR no-version                    CMETHOD-ERROR trebuchet no rocks available
 *     ENV-ERROR <message>                         CMETHODS DONE
 *     PROXY DONE                                  SMETHOD rot_by_N 198.51.100.1:2323 ARGS:N=13
 *     PROXY-ERROR <message>                       SMETHOD-ERROR trebuchet no cows available
 *     LOG SEVERITY=debug MESSAGE="…"              SMETHODS DONE
 *     STATUS TRANSPORT=trebuchet PERCENT=42
 */
import { PtError } from '../error.ts'
import type { Address } from './address.ts'
import { formatAddress, parseAddress } from './address.ts'
import type { ArgsInit } from './args.ts'
import { Args, formatSmethodArgs, parseSmethodArgs } from './args.ts'
import { formatKvLine, parseKvLine } from './kv-line.ts'
import { formatLine, isArgument, quoted, toAscii } from './line.ts'
import { isTransportName, requireTransportName } from './name.ts'
import { isVersion } from './version.ts'

/** The severities of LOG, the least severe first. */
export const severities = ['error', 'warning', 'notice', 'info', 'debug'] as const
/** The severity of a LOG line. */
export type Severity = (typeof severities)[number]
/** The protocol of a client's SOCKS port, as CMETHOD names it. */
export type SocksProtocol = 'socks4' | 'socks5'

/** A message of the PT. `unknown` is any line with another keyword: a parent ignores it (LINE-2). */
export type Message =
  | { readonly type: 'version'; readonly version: string }
  | { readonly type: 'versionError'; readonly message: string }
  | { readonly type: 'envError'; readonly message: string }
  | { readonly type: 'proxyDone' }
  | { readonly type: 'proxyError'; readonly message: string }
  | {
      readonly type: 'cmethod'
      readonly transport: string
      readonly protocol: SocksProtocol
      readonly address: Address
    }
  | { readonly type: 'cmethodError'; readonly transport: string; readonly message: string }
  | { readonly type: 'cmethodsDone' }
  | { readonly type: 'smethod'; readonly transport: string; readonly address: Address; readonly args: Args }
  | { readonly type: 'smethodError'; readonly transport: string; readonly message: string }
  | { readonly type: 'smethodsDone' }
  | { readonly type: 'log'; readonly severity: Severity; readonly message: string }
  | { readonly type: 'status'; readonly args: Args }
  | { readonly type: 'unknown'; readonly line: string }

/** Reads one line without its NL. Throws PT_MESSAGE if a known keyword is followed by what it does not allow. */
export function parseMessage(line: string): Message {
  const space = line.indexOf(' ')
  const keyword = space === -1 ? line : line.slice(0, space)
  const read = readers[keyword]
  if (read === undefined) return { type: 'unknown', line }
  try {
    if (line.includes('\0')) throw new PtError('PT_MESSAGE', 'the line holds a NUL')
    return read(space === -1 ? '' : line.slice(space + 1), line)
  } catch (error) {
    throw new PtError('PT_MESSAGE', `malformed ${keyword}: ${(error as Error).message}`, { cause: error })
  }
}

/** Writes one line with its NL. Free text is transliterated to ASCII; what cannot be said at all throws PT_LINE, PT_NAME, PT_ADDRESS or PT_ARGS. */
export function formatMessage(message: Message): string {
  switch (message.type) {
    case 'version':
      if (!isVersion(message.version)) throw new PtError('PT_LINE', `${quoted(message.version)} is not a version`)
      return formatLine('VERSION', message.version)
    case 'versionError':
      return formatLine('VERSION-ERROR', toAscii(message.message))
    case 'envError':
      return formatLine('ENV-ERROR', toAscii(message.message))
    case 'proxyDone':
      return formatLine('PROXY', 'DONE')
    case 'proxyError':
      return formatLine('PROXY-ERROR', toAscii(message.message))
    case 'cmethod':
      return formatLine('CMETHOD', name(message), message.protocol, formatListening(message.address))
    case 'cmethodError':
      return formatLine('CMETHOD-ERROR', name(message), toAscii(message.message))
    case 'cmethodsDone':
      return formatLine('CMETHODS', 'DONE')
    case 'smethod': {
      // C tor looks at the first option word only, so ARGS comes first; without arguments it is left out.
      const options = message.args.size === 0 ? [] : [`ARGS:${formatSmethodArgs(message.args)}`]
      return formatLine('SMETHOD', name(message), formatListening(message.address), ...options)
    }
    case 'smethodError':
      return formatLine('SMETHOD-ERROR', name(message), toAscii(message.message))
    case 'smethodsDone':
      return formatLine('SMETHODS', 'DONE')
    case 'log':
      return formatLine(
        'LOG',
        formatKvLine(
          [
            ['SEVERITY', message.severity],
            ['MESSAGE', message.message],
          ],
          ['MESSAGE'],
        ),
      )
    case 'status':
      if (message.args.size === 0) throw new PtError('PT_LINE', 'STATUS needs at least one <key>=<value>')
      // The two values of TYPE=version are free text; goptlib quotes them always, and so do we.
      return formatLine('STATUS', formatKvLine(message.args, ['IMPLEMENTATION', 'VERSION']))
    case 'unknown':
      if (!isArgument(message.line)) throw new PtError('PT_LINE', 'the line holds NUL, NL or a character outside ASCII')
      return `${message.line}\n`
  }
}

/** Makes the STATUS of a transport as STATUS-1 has it: TRANSPORT first, then at least one pair. Throws PT_LINE if there is no pair. */
export function transportStatus(transport: string, args: ArgsInit): Message {
  const pairs = [...Args.from(args)]
  if (pairs.length === 0) throw new PtError('PT_LINE', 'STATUS needs at least one <key>=<value> besides TRANSPORT')
  return { type: 'status', args: Args.from([['TRANSPORT', transport], ...pairs]) }
}

/** Makes `STATUS TYPE=version …`: tor puts it into the bridge's extra-info document. */
export function versionStatus(implementation: string, version: string): Message {
  return { type: 'status', args: Args.from({ TYPE: 'version', IMPLEMENTATION: implementation, VERSION: version }) }
}

/** What a TYPE=version status says; undefined for another status, for several TYPEs, or if either value is missing. */
export function implementationOf(
  status: Args,
): { readonly implementation: string; readonly version: string } | undefined {
  const types = status.getAll('TYPE')
  const implementation = status.get('IMPLEMENTATION')
  const version = status.get('VERSION')
  if (types.length !== 1 || types[0]?.toLowerCase() !== 'version') return undefined
  return implementation === undefined || version === undefined ? undefined : { implementation, version }
}

const readers: Readonly<Record<string, (text: string, line: string) => Message>> = {
  __proto__: null as never,
  VERSION: (version) => {
    if (!isVersion(version)) throw new PtError('PT_MESSAGE', 'expected VERSION <version>')
    return { type: 'version', version }
  },
  'VERSION-ERROR': (message) => ({ type: 'versionError', message }),
  'ENV-ERROR': (message) => ({ type: 'envError', message }),
  PROXY: (text, line) => (isDone(text) ? { type: 'proxyDone' } : { type: 'unknown', line }),
  'PROXY-ERROR': (message) => ({ type: 'proxyError', message }),
  CMETHOD: (text) => {
    const [transport, protocol, address] = methodWords(text, 3, '<transport> <socks4|socks5> <address:port>')
    if (protocol !== 'socks4' && protocol !== 'socks5') {
      throw new PtError('PT_MESSAGE', `the protocol is ${quoted(protocol!)}, neither socks4 nor socks5`)
    }
    return { type: 'cmethod', transport: transport!, protocol, address: parseListening(address!) }
  },
  'CMETHOD-ERROR': (text) => ({ type: 'cmethodError', ...failedMethod(text) }),
  CMETHODS: (text, line) => (isDone(text) ? { type: 'cmethodsDone' } : { type: 'unknown', line }),
  SMETHOD: (text) => {
    const [transport, address, ...options] = methodWords(text, 2, '<transport> <address:port> [options]')
    const args = options.find((option) => option.startsWith('ARGS:'))?.slice('ARGS:'.length) ?? ''
    return { type: 'smethod', transport: transport!, address: parseListening(address!), args: parseSmethodArgs(args) }
  },
  'SMETHOD-ERROR': (text) => ({ type: 'smethodError', ...failedMethod(text) }),
  SMETHODS: (text, line) => (isDone(text) ? { type: 'smethodsDone' } : { type: 'unknown', line }),
  LOG: (text) => {
    const args = parseKvLine(text)
    const severity = severities.find((one) => one === args.get('SEVERITY'))
    const message = args.get('MESSAGE')
    if (severity === undefined) throw new PtError('PT_MESSAGE', `SEVERITY is none of ${severities.join(', ')}`)
    if (message === undefined) throw new PtError('PT_MESSAGE', 'MESSAGE is missing')
    return { type: 'log', severity, message }
  },
  STATUS: (text) => {
    const args = parseKvLine(text)
    if (args.size === 0) throw new PtError('PT_MESSAGE', 'expected at least one <key>=<value>')
    return { type: 'status', args }
  },
}

/** DONE as a whole word. What follows it is passed over, as in tor and Arti: a space at its end must not cost the launch. */
function isDone(text: string): boolean {
  return text === 'DONE' || text.startsWith('DONE ')
}

/** The words of CMETHOD and SMETHOD. Runs of spaces count as one and surplus words are ignored, as in tor. */
function methodWords(text: string, atLeast: number, form: string): string[] {
  const words = text.split(' ').filter((word) => word !== '')
  if (words.length < atLeast) throw new PtError('PT_MESSAGE', `expected ${form}`)
  if (!isTransportName(words[0]!)) throw new PtError('PT_MESSAGE', `${quoted(words[0]!)} is no transport name`)
  return words
}

function failedMethod(text: string): { transport: string; message: string } {
  const [transport] = methodWords(text, 1, '<transport> <message>')
  return { transport: transport!, message: text.trimStart().slice(transport!.length + 1) }
}

function parseListening(text: string): Address {
  const address = parseAddress(text)
  if (address.port === 0) throw new PtError('PT_ADDRESS', 'malformed address: no program listens on port 0')
  return address
}

/** Of a message that is being written: what its reader would not take back is an error here already. */
function formatListening(address: Address): string {
  const text = formatAddress(address)
  parseListening(text)
  return text
}

function name(message: { readonly transport: string }): string {
  return requireTransportName(message.transport)
}
