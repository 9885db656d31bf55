/**
 * HTTP CONNECT as a client. RFC 9110, section 9.3.6, and Basic authentication of RFC 7617.
 *
 *     → CONNECT [2001:db8::1]:443 HTTP/1.1
 *       Host: [2001:db8::1]:443
 *       Proxy-Authorization: Basic dTpw
 *
 *     ← HTTP/1.1 200 OK            any 2xx; the header fields say nothing, and what follows the empty line is the
 *       Content-Length: 0          target's, whatever Content-Length says
 *
 * Heads of 1xx may come before it (RFC 9110, section 15.2). A line may end with LF alone (RFC 9112, section 2.2): some proxies
 * write it so.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import { toAscii } from '../ipc/index.ts'
import { readExactly, readMessage } from '../io/read.ts'

/** The longest answer, in bytes: all its heads, each with its empty line. Portals are known to send 20 kB of cookies. */
export const HEAD_LIMIT: number = 64 * 1024

/** How much of the status line's text goes into an error. */
const REASON_LIMIT = 100

/** How many challenges of a proxy are looked at, and how much of each. */
const CHALLENGE_LIMIT = 20
const CHALLENGE_LENGTH = 1_000

const HTTP = Buffer.from('HTTP/1.')
const [LF, CR] = [0x0a, 0x0d]

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

/** Reads the code and the text of a response head. Throws PT_PROXY if its first line is not HTTP's. */
export function parseStatus(head: string): { status: number; reason: string } {
  const [line = ''] = head.split('\n', 1)
  const parts = /^HTTP\/1\.\d (\d{3})(?: (.*))?$/.exec(line.replace(/\r$/, ''))
  if (parts === null) throw malformed()
  return { status: Number(parts[1]), reason: toAscii(parts[2] ?? '') }
}

/** Reads the authentication schemes that a response head of 401 or 407 offers (RFC 9110, section 11.6), each once, as it writes them. */
export function offeredSchemes(head: string): string[] {
  const fields = head.split('\n').filter((line) => /^(?:proxy|www)-authenticate:/i.test(line))
  const schemes = fields.slice(0, CHALLENGE_LIMIT).flatMap((field) => {
    const value = field.slice(field.indexOf(':') + 1, CHALLENGE_LENGTH)
    const parts = value.replace(/"(?:[^"\\]|\\.)*"/g, '""').split(',')
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
  const head = await readAnswer(conn, signal)
  const { status, reason } = parseStatus(head)
  if (status >= 200 && status <= 299) return
  const answer = `it answered ${status} ${withoutHost(reason, target).slice(0, REASON_LIMIT)}`.trimEnd()
  // tinyproxy says 401 if a user name is missing, and 407 if it is wrong.
  const hint = status === 407 || status === 401 ? `; ${loginHint(offeredSchemes(head))}` : ''
  throw new PtError('PT_PROXY', `${answer}${hint}`, { stage: 'proxy' })
}

/** Reads the final head of the answer. 101 is final too: it was not asked for, and what follows it is another protocol. */
async function readAnswer(conn: Duplex, signal: AbortSignal): Promise<string> {
  for (let left = HEAD_LIMIT; ;) {
    const head = await readHead(conn, left, signal)
    const { status } = parseStatus(head)
    if (status < 100 || status > 199 || status === 101) return head
    left -= head.length
  }
}

/** Reads one head with its empty line, as Latin-1. */
async function readHead(conn: Duplex, limit: number, signal: AbortSignal): Promise<string> {
  if (limit < HTTP.length) throw tooLong()
  // A server of another protocol may say a few bytes and wait: it is told by its first ones.
  const start = await readExactly(conn, HTTP.length, signal)
  if (!start.equals(HTTP)) throw malformed()
  const rest = await readMessage(conn, headEnd(limit - HTTP.length), signal)
  return Buffer.concat([start, rest]).toString('latin1')
}

/** Looks for the first empty line, each byte once. Throws PT_LIMIT if `limit` bytes hold none. */
function headEnd(limit: number): (held: Buffer) => number | undefined {
  let searched = 0
  return (held) => {
    for (let at = held.indexOf(LF, searched); at !== -1; at = held.indexOf(LF, searched)) {
      const next = held[at + 1] === CR ? at + 2 : at + 1
      if (next >= held.length) break
      if (held[next] !== LF) {
        searched = at + 1
        continue
      }
      if (next < limit) return next + 1
      break
    }
    if (held.length >= limit) throw tooLong()
    return undefined
  }
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

function malformed(): PtError {
  return new PtError('PT_PROXY', 'its answer is not HTTP/1.0 or HTTP/1.1', { stage: 'proxy' })
}

function tooLong(): PtError {
  return new PtError('PT_LIMIT', `${HEAD_LIMIT} bytes arrived without the end of its answer`)
}
