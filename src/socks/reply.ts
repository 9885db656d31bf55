/**
 * Which SOCKS 5 reply a failure is: docs/decisions/0002-socks-replies.md. Arti repeats a request after 1, 3, 4, 5 and 6
 * and not after 2, 7 and 8, so 2 is kept for what no waiting mends.
 */
import type { DialStage } from '../error.ts'
import { isPtError } from '../error.ts'
import { replies } from './wire.ts'

/** System errors, as Node names them. The rest is a general failure, EADDRNOTAVAIL among it: an address can come back. */
const byErrno: ReadonlyMap<string, number> = new Map([
  ['ECONNREFUSED', replies.connectionRefused],
  ['ECONNRESET', replies.connectionRefused],
  ['ECONNABORTED', replies.connectionRefused],
  ['EPIPE', replies.connectionRefused],
  ['ENETUNREACH', replies.networkUnreachable],
  ['ENETDOWN', replies.networkUnreachable],
  ['EHOSTUNREACH', replies.hostUnreachable],
  ['EHOSTDOWN', replies.hostUnreachable],
  ['ENOTFOUND', replies.hostUnreachable],
  ['ETIMEDOUT', replies.ttlExpired],
])

/** Where a dial failed; `undefined` where the cause says it better. */
const byStage: Readonly<Record<DialStage, number | undefined>> = {
  argument: replies.notAllowed,
  dns: replies.hostUnreachable,
  connect: undefined,
  local: undefined,
  proxy: replies.generalFailure,
  timeout: replies.ttlExpired,
  closed: replies.connectionRefused,
  mark: replies.generalFailure,
  mac: replies.generalFailure,
  hour: replies.generalFailure,
  auth: replies.generalFailure,
}

/** Of several attempts the one that came furthest is told: a refusal before silence, silence before no way at all. */
const furthestFirst: readonly number[] = [
  replies.notAllowed,
  replies.connectionRefused,
  replies.ttlExpired,
  replies.hostUnreachable,
  replies.networkUnreachable,
  replies.generalFailure,
]

/** What an upstream proxy's reply may be passed on as; its "not allowed" and the like are no verdict on the bridge. */
const passedOn: ReadonlySet<number> = new Set([
  replies.networkUnreachable,
  replies.hostUnreachable,
  replies.connectionRefused,
  replies.ttlExpired,
])

/** How deep causes are followed; a chain may be a circle. */
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
  if (isPtError(error)) {
    if (error.stage !== undefined) return byStage[error.stage]
    if (error.code === 'PT_ARGS') return replies.notAllowed
    if (error.code === 'PT_TIMEOUT') return replies.ttlExpired
    if (error.code === 'PT_CLOSED') return replies.connectionRefused
    return undefined
  }
  // Node gives an AggregateError the code of its first error; all of them are looked at instead.
  if (error instanceof AggregateError) return undefined
  if (error.name === 'TimeoutError') return replies.ttlExpired
  const { code } = error as NodeJS.ErrnoException
  if (typeof code !== 'string') return undefined
  return code.startsWith('EAI_') ? replies.hostUnreachable : byErrno.get(code)
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
