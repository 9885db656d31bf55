/**
 * PtError: the one error of this package, told apart by its stable `code`.
 * docs/errors.md has a sentence on each code.
 */
import type { DialStage } from './failure.ts'

/** The stable codes, each with the one sentence that docs/errors.md prints. Sorted by room. */
export const errorCodes = {
  PT_ADDRESS: 'An address is not <ip>:<port>, or not <host>:<port> if a host name is allowed.',
  PT_ARGS:
    'Per-connection arguments, transport options or SMETHOD ARGS cannot be read, cannot be written, or lack what the transport needs.',
  PT_CSTRING: 'A quoted string of LOG or STATUS cannot be read.',
  PT_LINE: 'A protocol line would hold a byte, a keyword or a value that its grammar forbids.',
  PT_LINE_TOO_LONG: 'A line from the PT is longer than the limit.',
  PT_MESSAGE: 'A line from the PT starts with a known keyword but is malformed.',
  PT_NAME: 'A transport name is not a C identifier, or is registered twice.',
  PT_ENV: 'A TOR_PT_ variable is missing, malformed or contradicts another (ENV-ERROR).',
  PT_VERSION: 'Parent and PT have no version of the specification in common (VERSION-ERROR).',
  PT_PROXY_URI: 'TOR_PT_PROXY is not a URI of a supported upstream proxy (PROXY-ERROR).',
  PT_CLOSED: 'A connection was closed before the bytes that were awaited arrived.',
  PT_LIMIT: 'A peer sent more than a limit allows before a message was complete.',
  PT_TIMEOUT: 'A bounded wait ended without what was waited for.',
  PT_SOCKS: 'A peer broke the SOCKS protocol, or asked for something that is not served.',
  PT_SOCKS_REFUSED: 'A SOCKS server refused the login or the request; `reply` holds the code of its reply.',
  PT_EXTOR: 'A peer broke the Extended ORPort protocol.',
  PT_EXTOR_AUTH: 'Extended ORPort authentication failed: a wrong hash, or an unreadable cookie.',
  PT_EXTOR_DENIED: 'The Extended ORPort answered DENY to a connection.',
  PT_CONNECT: 'An outgoing connection could not be made; the cause holds the system error.',
  PT_PROXY: 'The upstream proxy could not be reached, or refused the connection.',
  PT_HANDSHAKE: 'The handshake of a transport failed; the stage says where, if the transport does.',
  PT_TLS:
    'A TLS server cannot be agreed with, broke the protocol, or ended the handshake with an alert; the message says which.',
  PT_CERTIFICATE: 'The certificate of a TLS server does not prove that it is the server that was asked for.',
  PT_PROFILE:
    'A profile of a ClientHello, or a captured hello, cannot be read, or offers what this client cannot do; the message names the field.',
  PT_FRAME: 'A peer of a transport sent what is no valid frame: altered on the way, or written by a broken peer.',
  PT_STATE: 'A state file of a transport cannot be read or written.',
  PT_EXEC: 'The program of a PT cannot be started.',
  PT_EXITED:
    'The PT ended by itself, before it was ready or later; the message holds how, and `reported` its last words on stderr.',
  PT_PROTOCOL: 'A line from the PT is malformed, comes out of order, or belongs to the other role; the PT was ended.',
  PT_LAUNCH: 'The PT is there, but a requested transport is not; the message holds the reason for each.',
  PT_STOPPED: 'The PT has been stopped, so nothing can be carried through it any more.',
  PT_UNSTOPPABLE:
    'The program of a PT could not be ended, not by SIGKILL either, as it belongs to another user or hangs in the system; the message holds its process id.',
  PT_CRASH_LOOP: 'The PT ended so often in a row that it is not started again.',
  PT_BRIDGE_LINE: 'A bridge line cannot be read or written; the message names the field.',
  PT_BRIDGES: 'None of several bridges gave a connection; the cause holds the error of each.',
  PT_OPTION:
    'An option or an argument of a function is missing, unknown or of the wrong kind; the message names the function and the option.',
  PT_RUNTIME:
    'This runtime is not known to keep a request on its way through the bridge, so nothing was sent; the message says what to use instead.',
  PT_DENIED: 'A tunnel does not let this in or out: a wrong secret, or a destination that is not on the list.',
} as const

/** The code of a PtError; errorCodes has a sentence for each. */
export type PtErrorCode = keyof typeof errorCodes

/** What a PtError may carry besides its code and message. */
export interface PtErrorOptions {
  readonly cause?: unknown
  /** The protocol line, without NL, that says this error to the parent (`ENV-ERROR …`). */
  readonly line?: string
  /** The stage at which a connection failed. */
  readonly stage?: DialStage
  /** The reply with which a SOCKS server refused: 1 to 255 of SOCKS 5, 91 to 93 of SOCKS 4. */
  readonly reply?: number
  /** What another program, most often a PT, said about the failure. */
  readonly reported?: string
}

/**
 * An error with a stable code. The message is for the operator and holds no secret and no client address, and no words of
 * another program but those of its protocol.
 */
export class PtError extends Error {
  readonly code: PtErrorCode
  readonly line: string | undefined
  readonly stage: DialStage | undefined
  readonly reply: number | undefined
  /**
   * The last words of the PT about the failure, from LOG, STATUS or stderr. They are scrubbed of addresses and names of hosts, and of
   * what is known of the bridge, and they hold no control characters. Another program chose them, so they may say anything else.
   */
  readonly reported: string | undefined

  constructor(code: PtErrorCode, message: string, options: PtErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PtError'
    this.code = code
    this.line = options.line
    this.stage = options.stage
    this.reply = options.reply
    this.reported = options.reported
  }
}

/**
 * True for an error of this package with one of `codes`, or with any code if none is given. It looks at the code and not at the class,
 * so that two copies of the package agree.
 */
export function isPtError(error: unknown, ...codes: PtErrorCode[]): error is PtError {
  if (!(error instanceof Error) || error.name !== 'PtError') return false
  return codes.length === 0 || codes.includes((error as PtError).code)
}

/** The message of `error`, followed by what another program said about it: `… refused; the PT said: no route`. */
export function withReported(error: Error): string {
  const reported = isPtError(error) ? error.reported : undefined
  return reported === undefined ? error.message : `${error.message}; the PT said: ${reported}`
}

/** The message of whatever was thrown; never empty. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' && error !== '' ? error : 'unknown error'
  return error.message || (error as NodeJS.ErrnoException).code || error.name
}
