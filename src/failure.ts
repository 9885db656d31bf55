/**
 * A failed connection in one table: for each stage at which it can fail, what is said to the parent, to the operator and to the
 * application. Nothing else in this package has a list of the stages, and docs/errors.md prints this one.
 *
 *     transport ── stage ──┬── SOCKS reply                     to the parent
 *                          ├── STATUS … STAGE=mark, LOG        to the operator: the error's own words, and the advice
 *                          └── PtError: code, stage, sentence  to the application, in this process and beside it
 *
 * The rows are in order: the further down, the further the connection came.
 */
import type { PtErrorCode } from './error.ts'
import { isPtError, messageOf, PtError } from './error.ts'

/** The replies of RFC 1928, section 6, by name; src/socks/wire.ts has their numbers. */
export type FailureReply =
  'generalFailure' | 'notAllowed' | 'networkUnreachable' | 'hostUnreachable' | 'connectionRefused' | 'ttlExpired'

/** What one stage means. */
export interface StageRow {
  /** The SOCKS 5 reply; undefined if the system's error says it better than the stage. */
  readonly reply: FailureReply | undefined
  /** The code of the error that an application gets. */
  readonly code: PtErrorCode
  /** What happened. It follows the name of the transport. */
  readonly sentence: string
  /** What it most likely means, or what may help. It follows the sentence. */
  readonly advice: string
}

const rows = {
  argument: {
    reply: 'notAllowed',
    code: 'PT_ARGS',
    sentence: 'the bridge line is wrong',
    advice: 'an argument is missing or malformed; copy the whole line again',
  },
  local: {
    reply: undefined,
    code: 'PT_CONNECT',
    sentence: 'this machine could not try',
    advice: 'it has no network or no IPv6, no free file descriptor, or a rule of its own forbids it',
  },
  dns: {
    reply: 'hostUnreachable',
    code: 'PT_CONNECT',
    sentence: 'the name of the bridge cannot be resolved',
    advice: 'check the name, and whether this machine can resolve others',
  },
  connect: {
    reply: undefined,
    code: 'PT_CONNECT',
    sentence: 'nothing accepts connections at the address of the bridge',
    advice: 'the bridge is down, its address is wrong, or the way to it is blocked',
  },
  proxy: {
    reply: 'generalFailure',
    code: 'PT_PROXY',
    sentence: 'the upstream proxy failed, or refused the connection',
    advice: 'check its address, user name and password, and whether it may connect to the bridge',
  },
  timeout: {
    reply: 'ttlExpired',
    code: 'PT_TIMEOUT',
    sentence: 'there was no answer in time',
    advice: 'the bridge line is old or wrong, a clock is wrong, or the connection is interfered with',
  },
  closed: {
    reply: 'connectionRefused',
    code: 'PT_HANDSHAKE',
    sentence: 'the bridge hung up without a valid answer',
    advice: 'something else listens there, the bridge line is old or wrong, or the connection is interfered with',
  },
  tls: {
    reply: 'generalFailure',
    code: 'PT_TLS',
    sentence: 'the TLS handshake with the server failed',
    advice: 'the server speaks no TLS 1.3, something else listens there, or the connection is interfered with',
  },
  certificate: {
    reply: 'generalFailure',
    code: 'PT_CERTIFICATE',
    sentence: 'the certificate of the server does not prove that it is the right one',
    advice:
      'it was renewed and the bridge line is of before, a clock is wrong, or somebody else answers in place of the server',
  },
  upgrade: {
    reply: 'generalFailure',
    code: 'PT_HANDSHAKE',
    sentence: 'a web server answered, and not as a bridge does',
    advice: 'the bridge line is old or wrong, or the server takes no such connections any more',
  },
  path: {
    reply: 'generalFailure',
    code: 'PT_HANDSHAKE',
    sentence: 'the web server does not know the path of the bridge line',
    advice: 'the bridge line is wrong, or the bridge is gone',
  },
  backend: {
    reply: 'generalFailure',
    code: 'PT_HANDSHAKE',
    sentence: 'the web server is there, and cannot reach the bridge',
    advice: 'the bridge is down; try again later, or use another one',
  },
  mark: {
    reply: 'generalFailure',
    code: 'PT_HANDSHAKE',
    sentence: 'what answered does not speak this transport with the keys of the bridge line',
    advice: 'the bridge line is old or wrong, or something else has that address now',
  },
  mac: {
    reply: 'generalFailure',
    code: 'PT_HANDSHAKE',
    sentence: 'the answer was altered on its way, or is not of this bridge',
    advice: 'try another network, or ask for a new bridge line',
  },
  hour: {
    reply: 'generalFailure',
    code: 'PT_HANDSHAKE',
    sentence: 'the answer is that of another hour',
    advice: 'the clock of this machine, or that of the bridge, is wrong',
  },
  auth: {
    reply: 'generalFailure',
    code: 'PT_HANDSHAKE',
    sentence: 'what answered does not hold the key of the bridge line',
    advice: 'ask for a new bridge line',
  },
} as const

/** The stage at which a connection failed: `stage` of a PtError, and STAGE of our STATUS lines. */
export type DialStage = keyof typeof rows

/** The row of each stage. The later a stage stands, the further the connection came. */
export const stages: Readonly<Record<DialStage, StageRow>> = rows

/** `text` as a stage, if it is the name of one: another program, or a transport of a third party, may have written it. */
export function parseStage(text: string | undefined): DialStage | undefined {
  return text !== undefined && Object.hasOwn(stages, text) ? (text as DialStage) : undefined
}

/** Of several stages the one that came furthest, which says most about what is wrong. */
export function furthestStage(reached: Iterable<DialStage>): DialStage | undefined {
  const found = new Set(reached)
  return (Object.keys(stages) as DialStage[]).findLast((stage) => found.has(stage))
}

/** What happened at a stage, and what it most likely means, as one sentence. */
export function verdictOf(stage: DialStage): string {
  const { sentence, advice } = stages[stage]
  return `${sentence}: ${advice}`
}

/** System errors by their code: the stage, and the reply if it is not that of the stage. */
const systemErrors: ReadonlyMap<string, readonly [stage: DialStage, reply?: FailureReply]> = new Map<
  string,
  readonly [DialStage, FailureReply?]
>([
  ['ENOTFOUND', ['dns']],
  ['ECONNREFUSED', ['connect', 'connectionRefused']],
  ['EHOSTUNREACH', ['connect', 'hostUnreachable']],
  ['EHOSTDOWN', ['connect', 'hostUnreachable']],
  ['ECONNRESET', ['closed']],
  ['ECONNABORTED', ['closed']],
  ['EPIPE', ['closed']],
  ['ETIMEDOUT', ['timeout']],
  ['ENETUNREACH', ['local', 'networkUnreachable']],
  ['ENETDOWN', ['local', 'networkUnreachable']],
  ['EAFNOSUPPORT', ['local']],
  // An address can come back, so this is a general failure, after which the parent tries again.
  ['EADDRNOTAVAIL', ['local']],
  ['EMFILE', ['local']],
  ['ENFILE', ['local']],
  ['ENOBUFS', ['local']],
  ['ENOMEM', ['local']],
  ['EACCES', ['local']],
  ['EPERM', ['local']],
])

function systemError(code: unknown): readonly [stage: DialStage, reply?: FailureReply] | undefined {
  if (typeof code !== 'string') return undefined
  return code.startsWith('EAI_') ? ['dns'] : systemErrors.get(code)
}

/** The reply for a system error, by its code; undefined for one that says nothing about the connection. */
export function replyOfSystemError(code: string): FailureReply | undefined {
  const found = systemError(code)
  return found === undefined ? undefined : (found[1] ?? stages[found[0]].reply)
}

/** Codes of our own errors that say the stage if the error does not. */
const ownErrors: Partial<Readonly<Record<PtErrorCode, DialStage>>> = {
  PT_ARGS: 'argument',
  PT_ADDRESS: 'argument',
  PT_TIMEOUT: 'timeout',
  PT_CLOSED: 'closed',
  PT_PROXY: 'proxy',
}

/** The stage of an error: its own, or that of its code, or that of its cause; undefined if none of them says it. */
export function stageOf(error: unknown): DialStage | undefined {
  if (isPtError(error)) {
    const stage = parseStage(error.stage) ?? ownErrors[error.code]
    if (stage !== undefined || error.code !== 'PT_CONNECT') return stage
    return stageOf(error.cause) ?? 'connect'
  }
  return systemError((error as { code?: unknown } | null | undefined)?.code)?.[0]
}

/** What else is known of a failed connection. */
export interface FailureDetails {
  readonly cause: unknown
  /** What the transport, or the PT that carries it, said about it: scrubbed. */
  readonly reported?: string | undefined
}

/**
 * The error of a connection that failed at `stage`, the same in this process and beside it. The message repeats nothing of the
 * bridge. Without a stage it is PT_HANDSHAKE, and the transport's own account is all there is.
 */
export function connectionFailure(
  stage: DialStage | undefined,
  transport: string,
  { cause, reported }: FailureDetails,
): PtError {
  const code = stage === undefined ? 'PT_HANDSHAKE' : stages[stage].code
  const what = stage === undefined ? 'the connection failed' : verdictOf(stage)
  const reply = isPtError(cause) ? cause.reply : undefined
  return new PtError(code, `${transport}: ${what}`, {
    cause,
    ...(stage === undefined ? {} : { stage }),
    ...(reply === undefined ? {} : { reply }),
    ...(reported === undefined ? {} : { reported }),
  })
}

/** Returns the words of an error for the operator's log, followed by its stage and what that most likely means. */
export function withAdvice(error: unknown): string {
  const stage = stageOf(error)
  return stage === undefined ? messageOf(error) : `${messageOf(error)} (${stage}: ${stages[stage].advice})`
}
