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
import { readExactly, readUntil } from '../io/index.ts'

/** The longest response head, in bytes with the empty line. */
export const HEAD_LIMIT: number = 16 * 1024

/** How much of the status line's text goes into an error. */
const REASON_LIMIT = 100

const HTTP = Buffer.from('HTTP/1.')
const EMPTY_LINE = Buffer.from('\r\n\r\n')

export interface BasicCredentials {
  readonly user: string
  readonly password?: string | undefined
}

/** The request for `target`, `host:port` with IPv6 in brackets. */
export function formatConnect(target: string, credentials?: BasicCredentials): string {
  const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`]
  if (credentials !== undefined) {
    const pair = Buffer.from(`${credentials.user}:${credentials.password ?? ''}`).toString('base64')
    lines.push(`Proxy-Authorization: Basic ${pair}`)
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** The code and the text of a response head. Throws PT_PROXY where its first line is not HTTP's. */
export function parseStatus(head: string): { status: number; reason: string } {
  const parts = /^HTTP\/1\.\d (\d{3})(?: (.*))?$/.exec(head.slice(0, head.indexOf('\r\n')))
  if (parts === null) throw malformed()
  return { status: Number(parts[1]), reason: toAscii(parts[2] ?? '') }
}

/**
 * Negotiates on `conn` and resolves once the proxy has granted the connection; bytes behind the head stay in `conn`.
 * Rejects with PT_PROXY (another status, or no HTTP), PT_LIMIT, PT_CLOSED, the connection's error or the signal's reason.
 */
export async function connectHttp(
  conn: Duplex,
  target: string,
  credentials: BasicCredentials | undefined,
  signal: AbortSignal,
): Promise<void> {
  conn.write(formatConnect(target, credentials))
  // A server of another protocol may say a few bytes and wait: it is told by its first ones.
  const start = await readExactly(conn, HTTP.length, signal)
  if (!start.equals(HTTP)) throw malformed()
  const rest = await readUntil(conn, EMPTY_LINE, HEAD_LIMIT - HTTP.length, signal)
  const { status, reason } = parseStatus(Buffer.concat([start, rest]).toString('latin1'))
  if (status >= 200 && status <= 299) return
  const answer = `it answered ${status} ${withoutHost(reason, target).slice(0, REASON_LIMIT)}`.trimEnd()
  // tinyproxy says 401 where a user name is missing, and 407 where it is wrong.
  const hint =
    status === 407 || status === 401 ? '; the user name and password in TOR_PT_PROXY are missing or wrong' : ''
  throw new PtError('PT_PROXY', `${answer}${hint}`, { stage: 'proxy' })
}

/** Some proxies repeat the host in their answer, and the host is a bridge. */
function withoutHost(text: string, target: string): string {
  const host = target.slice(0, target.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return text.replace(new RegExp(host.replaceAll('.', '\\.'), 'gi'), '[target]')
}

function malformed(): PtError {
  return new PtError('PT_PROXY', 'its answer is not HTTP/1.0 or HTTP/1.1', { stage: 'proxy' })
}
