/**
 * What a PT may say when, and what follows from it. It is pure: a line goes in, the state and a warning or an error come out. Sections
 * "Common Messages", "Client Messages" and "Server Messages".
 *
 *     launched ── VERSION 1 ──> negotiated ── PROXY DONE · CMETHOD · CMETHOD-ERROR ── CMETHODS DONE ──> done
 *
 * LOG, STATUS and unknown keywords are legal in every state (LINE-2). What the draft allows is accepted; what it forbids
 * throws, and the error names the line and the rule. What the draft does not mention and cannot do harm is a warning.
 */
import { PtError } from '../error.ts'
import type { Message } from '../ipc/index.ts'
import { isLoopback, parseMessage, toAscii, VERSION } from '../ipc/index.ts'

/** What a launch has asked the PT for, so that its answers can be judged. */
export interface Expected {
  readonly role: 'client' | 'server'
  readonly transports: readonly string[]
  /** True if TOR_PT_PROXY is set: PROXY DONE is then required. */
  readonly proxy: boolean
  /** Takes a CMETHOD outside loopback, which would send the application's bytes over a network in the clear. */
  readonly allowRemote: boolean
}

/** A transport that the PT has announced by CMETHOD or SMETHOD. */
export type Method = Extract<Message, { type: 'cmethod' | 'smethod' }>

/** What one line of the PT was taken for. */
export interface Heard {
  /** Undefined for a malformed LOG or STATUS. */
  readonly message: Message | undefined
  readonly warning: string | undefined
}

type Phase = 'launched' | 'negotiated' | 'done'

/**
 * The state of the dialogue between a parent and its PT: it takes the lines of stdout one by one and judges each.
 */
export class Dialogue {
  readonly methods: Map<string, Method> = new Map()
  /** Why a requested transport is not there. */
  readonly failures: Map<string, string> = new Map()
  readonly #expected: Expected
  #phase: Phase = 'launched'
  #proxyDone = false

  constructor(expected: Expected) {
    this.#expected = expected
  }

  get done(): boolean {
    return this.#phase === 'done'
  }

  /** What is waited for, such as `VERSION`. */
  get missing(): string {
    if (this.#phase === 'launched') return 'VERSION'
    return this.#expected.proxy && !this.#proxyDone ? 'PROXY DONE' : this.#closing
  }

  /**
   * Takes one line. Throws PT_PROTOCOL if it breaks a rule, and PT_VERSION, PT_ENV or PT_PROXY_URI with the PT's own
   * words if it gives up.
   */
  hear(line: string): Heard {
    let message: Message
    try {
      message = parseMessage(line)
    } catch (error) {
      const warning = (error as Error).message
      if (/^(?:LOG|STATUS)(?: |$)/.test(line)) return { message: undefined, warning }
      throw breach(line, warning, error)
    }
    return { message, warning: this.#take(message, line) }
  }

  #take(message: Message, line: string): string | undefined {
    switch (message.type) {
      case 'version':
        return this.#version(message.version, line)
      case 'versionError':
        throw new PtError('PT_VERSION', `it speaks no version of the parent (${VERSION}): ${quote(line)}`, { line })
      case 'envError':
        throw new PtError('PT_ENV', `it does not take its environment: ${quote(line)}`, { line })
      case 'proxyError':
        throw new PtError('PT_PROXY_URI', `it cannot use the upstream proxy: ${quote(line)}`, { line })
      case 'proxyDone':
        return this.#proxy(line)
      case 'cmethod':
      case 'smethod':
        return this.#method(message, line)
      case 'cmethodError':
      case 'smethodError':
        return this.#failure(message.transport, message.message, message.type === 'cmethodError', line)
      case 'cmethodsDone':
      case 'smethodsDone':
        return this.#finish(message.type === 'cmethodsDone', line)
      case 'log':
      case 'status':
      case 'unknown':
        return undefined
    }
  }

  #version(version: string, line: string): undefined {
    if (this.#phase !== 'launched') throw breach(line, 'VERSION comes once, before all else')
    if (version !== VERSION) {
      throw new PtError('PT_VERSION', `it chose version ${version}, and the parent offered ${VERSION}`)
    }
    this.#phase = 'negotiated'
  }

  #proxy(line: string): string | undefined {
    this.#requireNegotiating(line)
    if (!this.#expected.proxy) return 'PROXY DONE, though there is no upstream proxy'
    if (this.#proxyDone) return 'PROXY DONE twice'
    this.#proxyDone = true
    return undefined
  }

  #method(method: Method, line: string): string | undefined {
    const { transport, address } = method
    this.#requireRole(method.type === 'cmethod', line)
    this.#requireNegotiating(line)
    this.#requireProxy(line)
    const passedOver = this.#passOver(transport, line)
    if (passedOver !== undefined) return passedOver
    if (method.type === 'cmethod' && !this.#expected.allowRemote && !isLoopback(address.host)) {
      this.failures.set(transport, 'its SOCKS port is not on loopback, so its connections could be read on the network')
      return `${transport} listens outside loopback and is not used`
    }
    this.methods.set(transport, method)
    return undefined
  }

  #failure(transport: string, message: string, ofClient: boolean, line: string): string | undefined {
    this.#requireRole(ofClient, line)
    this.#requireNegotiating(line)
    const passedOver = this.#passOver(transport, line)
    if (passedOver === undefined) this.failures.set(transport, message)
    return passedOver
  }

  #finish(ofClient: boolean, line: string): undefined {
    this.#requireRole(ofClient, line)
    this.#requireNegotiating(line)
    this.#requireProxy(line)
    this.#phase = 'done'
    for (const name of this.#expected.transports) {
      if (!this.methods.has(name) && !this.failures.has(name)) this.failures.set(name, 'the PT does not know it')
    }
  }

  get #closing(): string {
    return this.#expected.role === 'client' ? 'CMETHODS DONE' : 'SMETHODS DONE'
  }

  /** Returns a warning if a transport was not asked for, or was named before: what was said first holds, as in tor. */
  #passOver(transport: string, line: string): string | undefined {
    if (!this.#expected.transports.includes(transport)) return `${quote(line)}: ${transport} was not requested`
    if (this.methods.has(transport) || this.failures.has(transport))
      return `${quote(line)}: ${transport} was reported before`
    return undefined
  }

  #requireRole(ofClient: boolean, line: string): void {
    if (ofClient !== (this.#expected.role === 'client')) {
      throw breach(line, `this is a line of a ${ofClient ? 'client' : 'server'}, and the PT is the other`)
    }
  }

  #requireNegotiating(line: string): void {
    if (this.#phase === 'launched') throw breach(line, 'VERSION must come before')
    if (this.#phase === 'done') throw breach(line, `nothing of this kind may follow ${this.#closing}`)
  }

  /** Fails closed: a PT that passes over TOR_PT_PROXY would connect directly (CENV-3, PROXY-2). */
  #requireProxy(line: string): void {
    if (this.#expected.proxy && !this.#proxyDone) {
      throw breach(line, 'TOR_PT_PROXY is set, so PROXY DONE must come before; a PT without it may go around the proxy')
    }
  }
}

function breach(line: string, rule: string, cause?: unknown): PtError {
  return new PtError('PT_PROTOCOL', `${quote(line)}: ${rule}`, { cause })
}

/** Returns a line as a message quotes it: printable, short, and without ARGS, which may hold the secret of a bridge. */
export function quote(line: string): string {
  const text = toAscii(line).replace(/ ARGS:.*$/, ' ARGS:...')
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}...` : text)
}
