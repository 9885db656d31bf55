/**
 * HTTP CONNECT as a client. RFC 9110, section 9.3.6, and Basic authentication of RFC 7617.
 *
 *     → CONNECT [2001:db8::1]:443 HTTP/1.1
 *       Host: [2001:db8::1]:443
 *       Proxy-Authorization: Basic dTpw
 *
 *     ← HTTP/1.1 200 OK            any 2xx; the header fields say nothing, and what follows the empty line is the
 *       Content-Length: 0          target's, whatever Content-Length says
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import { toAscii } from '../ipc/index.ts'
import type { Field } from '../http1/fields.ts'
import { fieldValues } from '../http1/fields.ts'
import type { ResponseFault, ResponseHead } from '../http1/response.ts'
import { FinalResponse } from '../http1/response.ts'
import { readMessage } from '../io/read.ts'

/** The longest answer, in bytes: all its heads, each with its empty line. Portals are known to send 20 kB of cookies. */
export const HEAD_LIMIT: number = 64 * 1024

/** How much of the status line's text goes into an error. */
const REASON_LIMIT = 100

/** How many challenges of a proxy are looked at, and how much of each. */
const CHALLENGE_LIMIT = 20
const CHALLENGE_LENGTH = 1_000

export interface BasicCredentials {
  readonly user: string
  readonly password?: string | undefined
}

/** Writes the request for `target`, a `host:port` with IPv6 in brackets. */
export function formatConnect(target: string, credentials?: BasicCredentials): string {
  const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`]
  if (credentials !== undefined) {
    const pair = Buffer.from(`${credentials.user}:${credentials.password ?? ''}`).toString('base64')
    lines.push(`Proxy-Authorization: Basic ${pair}`)
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** The authentication schemes that an answer of 401 or 407 offers (RFC 9110, section 11.6), each once, as it writes them. */
export function offeredSchemes(fields: readonly Field[]): string[] {
  const challenges = ['proxy-authenticate', 'www-authenticate'].flatMap((name) => fieldValues(fields, name))
  const schemes = challenges.slice(0, CHALLENGE_LIMIT).flatMap((challenge) => {
    const parts = challenge
      .slice(0, CHALLENGE_LENGTH)
      .replace(/"(?:[^"\\]|\\.)*"/g, '""')
      .split(',')
    // A part that begins with `token =` is a parameter of the scheme before it.
    return parts.flatMap((part) => /^\s*([a-z][a-z0-9-]{0,19})(?=\s|$)(?!\s*=)/i.exec(part)?.[1] ?? [])
  })
  return [...new Set(schemes)].slice(0, CHALLENGE_LIMIT)
}

/**
 * Negotiates on `conn` and resolves once the proxy has granted the connection; bytes that follow the head stay in `conn`.
 * Rejects with PT_PROXY (another status, or no HTTP), PT_LIMIT, PT_CLOSED, the connection's error or the signal's reason.
 */
export async function connectHttp(
  conn: Duplex,
  target: string,
  credentials: BasicCredentials | undefined,
  signal: AbortSignal,
): Promise<void> {
  conn.write(formatConnect(target, credentials))
  const response = new FinalResponse(HEAD_LIMIT, faultOf)
  await readMessage(conn, response.lengthOf, signal)
  const { head } = response
  if (head.status >= 200 && head.status <= 299) return
  throw new PtError('PT_PROXY', refusal(head, target), { stage: 'proxy' })
}

/** What a proxy said that does not grant the connection to `target`. */
export function refusal({ status, reason, fields }: ResponseHead, target: string): string {
  const text = withoutHost(toAscii(reason), target).slice(0, REASON_LIMIT)
  // tinyproxy says 401 if a user name is missing, and 407 if it is wrong.
  const hint = status === 407 || status === 401 ? `; ${loginHint(offeredSchemes(fields))}` : ''
  return `${`it answered ${status} ${text}`.trimEnd()}${hint}`
}

function loginHint(schemes: readonly string[]): string {
  if (schemes.length === 0 || schemes.some((scheme) => scheme.toLowerCase() === 'basic')) {
    return 'the user name and password in TOR_PT_PROXY are missing or wrong'
  }
  return `the proxy asks for a login by ${schemes.join(' or ')}, which is not spoken here; only Basic is`
}

/** Takes the host out of a proxy's words: some proxies repeat it in their answer, and the host is a bridge. */
function withoutHost(text: string, target: string): string {
  const host = target.slice(0, target.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return text.replace(new RegExp(host.replaceAll('.', '\\.'), 'gi'), '[target]')
}

function faultOf(fault: ResponseFault): PtError {
  if (fault === 'not HTTP') {
    return new PtError('PT_PROXY', 'its answer is not HTTP/1.0 or HTTP/1.1', { stage: 'proxy' })
  }
  return new PtError('PT_LIMIT', `${HEAD_LIMIT} bytes arrived without the end of its answer`)
}
