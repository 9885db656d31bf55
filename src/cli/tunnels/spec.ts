/**
 * A tunnel as it was asked for, on the command line or in a file: every value checked before anything is started.
 */
import type { AllowList } from '../../app/index.ts'
import { lintBridgeLine, parseAllowList, parseBridgeLine, parseNamedProxy } from '../../app/index.ts'
import type { Strategy } from '../../app/index.ts'
import { Args, isHostName, isLoopback, parseAddress, parseTarget } from '../../ipc/index.ts'
import { isIP } from 'node:net'
import { checkArguments } from '../../transports/arguments.ts'
import { whyNotBuiltIn, whyNotExec } from './exec.ts'
import { resolveStateDir } from './state-home.ts'

export interface ClientSpec {
  readonly kind: 'client'
  readonly name: string
  readonly listen: string
  readonly bridges: readonly string[]
  readonly strategy: Strategy
  readonly socks: boolean
  readonly secret: string | undefined
  readonly exposed: boolean
  readonly halfOpen: boolean
  readonly exec: readonly string[] | undefined
  readonly proxy: string | undefined
  readonly stateDir: string | undefined
  readonly maxConnections: number
  /** Milliseconds. */
  readonly connectTimeout: number
  readonly drainTimeout: number
}

export interface ServerSpec {
  readonly kind: 'server'
  readonly name: string
  readonly transport: string
  readonly listen: string
  /** `<host>:<port>`, or `socks`. */
  readonly forward: string
  readonly allow: readonly string[]
  readonly options: Readonly<Record<string, string>>
  readonly publicAddress: string | undefined
  readonly halfOpen: boolean
  /** Milliseconds after which a connection without a byte ends; 0 for never. */
  readonly idleTimeout: number
  readonly exec: readonly string[] | undefined
  readonly stateDir: string
  readonly maxConnections: number
  readonly drainTimeout: number
}

export type TunnelSpec = ClientSpec | ServerSpec

/** What each value has to be: throws an Error that says why it is not, without the key. */
export const checks = {
  listen: (text: string): void => {
    requireIp(text)
    parseAddress(text)
  },
  loopback: (text: string): void => {
    requireIp(text)
    if (!isLoopback(parseAddress(text).host))
      throw new Error('it is not an address of this machine alone (127.0.0.1 or [::1])')
  },
  host: (text: string): void => {
    if (isIP(text) === 0 && !isHostName(text)) throw new Error('it is neither a host name nor an IP address')
  },
  forward: (text: string): void => {
    if (text !== 'socks' && parseTarget(text).port === 0) throw new Error('the port is 0')
  },
  publicAddress: (text: string): void => {
    const host = text.replace(/^\[(.*)\]$/, '$1')
    if (isIP(host) === 0 && !isHostName(host) && parseTarget(text).port === 0) throw new Error('the port is 0')
  },
  proxy: (text: string): void => {
    try {
      parseNamedProxy(text)
    } catch (error) {
      // Nobody who typed this has heard of that variable.
      throw new Error((error as Error).message.replace(/^TOR_PT_PROXY: /, ''), { cause: error })
    }
  },
  stateDir: (text: string): void => {
    resolveStateDir(text, '.')
  },
  bridge: (text: string): void => {
    parseBridgeLine(text)
    // A documentation address may be a laboratory's; an argument that cannot work is one everywhere.
    const wrong = lintBridgeLine(text).find(({ severity, field }) => severity === 'error' && field !== 'address')
    if (wrong !== undefined) throw new Error(`bridge line: ${wrong.field}: ${wrong.message}`)
  },
  allow: (rules: readonly string[]): AllowList => parseAllowList(rules),
  exec: (command: readonly string[]): void => {
    const why = whyNotExec(command)
    if (why !== undefined) throw new Error(why)
  },
  secret: (text: string): void => {
    const size = Buffer.byteLength(text)
    if (size < 8 || size > 255) throw new Error('the secret has to have 8 to 255 bytes')
  },
} as const

/** Says what to write if a name, or a port alone, is given as the address to listen on. */
function requireIp(text: string): void {
  const [, host = '', port = ''] = /^(?:(.*):)?(\d{1,5})$/s.exec(text) ?? []
  if (port === '' || isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0 || Number(port) > 65_535) return
  const here = `write 127.0.0.1:${port}, or [::1]:${port} for IPv6`
  if (host.toLowerCase() === 'localhost') throw new Error(`malformed address: it takes an IP address: ${here}`)
  if (host === '' || host === '*')
    throw new Error(`malformed address: the IP address is missing: ${here}; 0.0.0.0:${port} is open to all machines`)
  if (isHostName(host))
    throw new Error('malformed address: it takes an IP address and no name: write the address of this machine')
}

/** A value that fits its key and not another's: throws an Error with the key's name, as `name` writes it. */
export function checkTogether(spec: TunnelSpec, name: (key: string) => string): void {
  const fail = (key: string, why: string): never => {
    throw new ConflictError(key, `${name(key)}: ${why}`)
  }
  if (spec.halfOpen && spec.exec !== undefined)
    fail('halfOpen', 'it is for the built-in transports; no other PT can do it')
  if (spec.kind === 'client') {
    if (!spec.exposed && !isLoopback(parseAddress(spec.listen).host)) {
      fail('listen', 'the port would be open to other machines; listen on 127.0.0.1 or [::1], or set exposed')
    }
    if (spec.exec === undefined) {
      for (const line of spec.bridges) {
        const why = whyNotBuiltIn(parseBridgeLine(line).transport)
        if (why !== undefined) fail('bridges', why)
      }
    }
    return
  }
  if (spec.exec === undefined) {
    const why = whyNotBuiltIn(spec.transport)
    if (why !== undefined) fail('transport', why)
  }
  // Another program may know more options; ours would pass a mistyped one over without a word.
  const wrong = checkArguments(spec.transport, Args.from(spec.options), 'server')?.find(
    ({ severity }) => severity === 'error' || spec.exec === undefined,
  )
  if (wrong !== undefined) fail('options', `${wrong.key}: ${wrong.message}`)
  if (spec.forward === 'socks' && spec.allow.length === 0) {
    fail(
      'allow',
      'a SOCKS server needs at least one rule for where it may connect to, such as example.com:443 or *:443',
    )
  }
  if (spec.forward !== 'socks' && spec.allow.length > 0) fail('allow', 'it is for a forward of socks only')
}

export class ConflictError extends Error {
  readonly key: string

  constructor(key: string, message: string) {
    super(message)
    this.key = key
  }
}
