/**
 * The number of the SOCKS 5 reply for an error; src/failure.ts has the reply of each stage and system error. Arti repeats a request
 * after 1, 3, 4, 5 and 6 and not after 2, 7 and 8, so 2 is kept for what no waiting mends: docs/decisions/0002-socks-replies.md.
 */
import { isPtError } from '../error.ts'
import type { FailureReply } from '../failure.ts'
import { parseStage, replyOfSystemError, stages } from '../failure.ts'
import { replies } from './wire.ts'

/** If several addresses were tried, the one that came furthest is told: a refusal before silence, silence before no way at all. */
const furthestFirst: readonly number[] = [
  replies.notAllowed,
  replies.connectionRefused,
  replies.ttlExpired,
  replies.hostUnreachable,
  replies.networkUnreachable,
  replies.generalFailure,
]

/** The replies of an upstream proxy that are passed on; its "not allowed" and the like are no verdict on the bridge. */
const passedOn: ReadonlySet<number> = new Set([
  replies.networkUnreachable,
  replies.hostUnreachable,
  replies.connectionRefused,
  replies.ttlExpired,
])

/** How deep causes are followed, as a chain of causes may be a circle. */
const DEPTH = 8

/** The SOCKS 5 reply code for a failed request: by the error's stage, code and errno, or else those of its causes. */
export function replyFor(error: unknown): number {
  return codeOf(error, DEPTH) ?? replies.generalFailure
}

function codeOf(error: unknown, depth: number): number | undefined {
  if (!(error instanceof Error) || depth === 0) return undefined
  if (isProxyFailure(error)) return proxyCode(error, depth)
  return ownCode(error) ?? causeCode(error, depth)
}

function ownCode(error: Error): number | undefined {
  const reply = ownReply(error)
  return reply === undefined ? undefined : replies[reply]
}

function ownReply(error: Error): FailureReply | undefined {
  if (isPtError(error)) {
    const stage = parseStage(error.stage)
    if (stage !== undefined) return stages[stage].reply
    if (error.code === 'PT_ARGS') return stages.argument.reply
    if (error.code === 'PT_TIMEOUT') return stages.timeout.reply
    return error.code === 'PT_CLOSED' ? stages.closed.reply : undefined
  }
  // Node gives an AggregateError the code of its first error; all of them are looked at instead.
  if (error instanceof AggregateError) return undefined
  if (error.name === 'TimeoutError') return stages.timeout.reply
  const { code } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? replyOfSystemError(code) : undefined
}

function causeCode(error: Error, depth: number): number | undefined {
  const causes: readonly unknown[] = error instanceof AggregateError ? error.errors : [error.cause]
  const codes = new Set(causes.map((cause) => codeOf(cause, depth - 1)))
  return furthestFirst.find((code) => codes.has(code))
}

function isProxyFailure(error: Error): boolean {
  return isPtError(error, 'PT_PROXY', 'PT_SOCKS_REFUSED') || (isPtError(error) && error.stage === 'proxy')
}

/** The errno of a proxy that is down says nothing about the bridge; what the proxy itself replied does. */
function proxyCode(error: Error, depth: number): number {
  for (let at: unknown = error; at instanceof Error && depth > 0; at = at.cause, depth--) {
    const { reply } = at as { reply?: unknown }
    if (typeof reply === 'number' && passedOn.has(reply)) return reply
  }
  return replies.generalFailure
}
