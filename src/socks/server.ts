/**
 * The server's side of SOCKS 5, 4 and 4a on one port: the forward proxy that a parent talks to (ARCH-2). RFC 1928, RFC 1929
 * and section "Per-Connection Arguments". This file is the one place that reads and writes; request.ts says what bytes mean.
 *
 *     client   05 01 02          01 03 k=v 01 00          05 01 00 01 7f000001 235a          payload …
 *     server             05 02                    01 00                             05 00 …
 *     client   04 01 235a 7f000001 k=v 00         payload …
 *     server                              00 5a …
 *
 * Messages may come in pieces of any size, or all in one: what is not read yet stays in the connection.
 */
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../error.ts'
import { closeAfter } from '../io/wait/deadline.ts'
import { silenceErrors } from '../io/ends.ts'
import { readExactly, readMessage, readUntil } from '../io/read.ts'
import type { Address } from '../ipc/index.ts'
import { Args, formatAddress } from '../ipc/index.ts'
import { checkArgument, checkOptions } from '../options.ts'
import { acceptChecks, aConnection } from './option-checks.ts'
import { replyFor } from './reply.ts'
import type { Preference } from './request.ts'
import {
  checkPassword,
  chooseMethod,
  greetingLength,
  passwordLength,
  readHeader4,
  readName4,
  readPasswordArgs,
  readTarget5,
  readUseridArgs,
  refused4,
  requestLength5,
  requireLogin,
  SocksFailure,
  SpokeHttp,
  splitPassword,
} from './request.ts'
import {
  formatReply4,
  formatReply5,
  GRANTED4,
  methods,
  NAME_LIMIT,
  PASSWORD_GRANTED,
  PASSWORD_VERSION,
  REJECTED4,
  replies,
  SOCKS4,
  SOCKS5,
  USERID_LIMIT,
} from './wire.ts'

/** The version of SOCKS that a client has spoken; 4 stands for 4a as well. */
export type SocksVersion = 4 | 5

/** What a client asked for; the reply is still owed, and exactly one is given. */
export interface SocksRequest {
  readonly version: SocksVersion
  /** `host:port`, IPv6 in brackets; may be a host name. */
  readonly target: string
  /** The per-connection arguments of UNAME and PASSWD, or of USERID (ARGS-1, ARGS-3). */
  readonly args: Args
  /** Sends the success reply. From then on the connection is the application's, with the bytes that came ahead of the reply. */
  grant(): void
  /**
   * Sends the failure reply that replyFor gives (SOCKS 4 has only one) and ends the connection; nothing is left to do.
   * `reply` is the SOCKS 5 code of another server that has refused the same request, which is passed on as it is.
   */
  refuse(error: unknown, reply?: number): void
}

/** The options of acceptSocks. */
export interface AcceptSocksOptions {
  /** Its abort ends the handshake, and the connection with it. */
  readonly signal?: AbortSignal
  /** How long the whole handshake may take, in milliseconds; 10,000 by default. */
  readonly handshakeTimeout?: number
  /** Which method is taken when a SOCKS 5 client offers both: password (by default), as it carries the arguments, or none. */
  readonly prefer?: Preference
  /**
   * The client has to log in with this password, under any user name, which are then no arguments. SOCKS 4 has no passwords
   * and is refused.
   */
  readonly password?: string | undefined
  /**
   * The clients are applications and no parent: what they log in with is no list of arguments, and any login is welcome
   * unless there is a `password`. One that speaks HTTP is told that this is a SOCKS port. Default false.
   */
  readonly applications?: boolean | undefined
}

interface Wanted {
  readonly version: SocksVersion
  readonly target: Address
  readonly args: Args
}

const HANDSHAKE_TIMEOUT = 10_000

/** How long a refused client gets to read its reply and hang up, in milliseconds. */
const LINGER = 1000

const NUL = Uint8Array.of(0)

/**
 * Reads one request, whatever its version. Rejects with PT_OPTION, PT_SOCKS, PT_ARGS (ARGS-6), PT_TIMEOUT, PT_CLOSED or the signal's
 * reason; by then the client has got the failure reply that its protocol has, if it has one, and the connection is closed.
 */
export async function acceptSocks(conn: Duplex, options: AcceptSocksOptions = {}): Promise<SocksRequest> {
  checkArgument('acceptSocks', 'conn', conn, aConnection)
  checkOptions('acceptSocks', options, acceptChecks)
  const { signal, handshakeTimeout = HANDSHAKE_TIMEOUT, prefer = 'auth', password, applications = false } = options
  // Stays for good: a reset that arrives between two reads, or while the caller dials, must not end the process.
  silenceErrors(conn)
  const limit = closeAfter(conn, handshakeTimeout, 'the SOCKS handshake')
  try {
    return answerable(conn, await readRequest(conn, { prefer, password, applications }, signal))
  } catch (error) {
    if (error instanceof SocksFailure) await endWith(conn, error.answer)
    else if (applications && error instanceof SpokeHttp) await endWith(conn, error.answer)
    else conn.destroy()
    if (isPtError(error, 'PT_TIMEOUT')) throw error
    throw error === conn.errored || isPtError(error, 'PT_CLOSED') ? hungUp(error) : error
  } finally {
    limit.clear()
  }
}

interface Terms {
  readonly prefer: Preference
  readonly password: string | undefined
  readonly applications: boolean
}

async function readRequest(conn: Duplex, terms: Terms, signal: AbortSignal | undefined): Promise<Wanted> {
  const greeting = await readMessage(conn, greetingLength, signal)
  if (greeting[0] === SOCKS5) return await readRequest5(conn, greeting, terms, signal)
  if (terms.password !== undefined) throw refused4('it has no password, and this port wants one')
  return await readRequest4(conn, terms, signal)
}

async function readRequest5(
  conn: Duplex,
  greeting: Buffer,
  terms: Terms,
  signal: AbortSignal | undefined,
): Promise<Wanted> {
  const { prefer, password } = terms
  const offered = greeting.subarray(2)
  const method = password === undefined ? chooseMethod(offered, prefer) : requireLogin(offered)
  conn.write(Uint8Array.of(SOCKS5, method))
  const args = method === methods.password ? await readPassword(conn, terms, signal) : Args.none
  return { version: SOCKS5, target: readTarget5(await readMessage(conn, requestLength5, signal)), args }
}

async function readPassword(
  conn: Duplex,
  { password, applications }: Terms,
  signal: AbortSignal | undefined,
): Promise<Args> {
  const { uname, passwd } = splitPassword(await readMessage(conn, passwordLength, signal))
  if (password !== undefined) checkPassword(passwd, password)
  const args = password === undefined && !applications ? readPasswordArgs(uname, passwd) : Args.none
  conn.write(Uint8Array.of(PASSWORD_VERSION, PASSWORD_GRANTED))
  return args
}

async function readRequest4(conn: Duplex, { applications }: Terms, signal: AbortSignal | undefined): Promise<Wanted> {
  const { port, host } = readHeader4(await readExactly(conn, 7, signal))
  const userid = await readString(conn, USERID_LIMIT, signal)
  const args = applications ? Args.none : readUseridArgs(userid)
  const name = host ?? readName4(await readString(conn, NAME_LIMIT, signal))
  return { version: SOCKS4, target: { host: name, port }, args }
}

/** Reads up to `limit` bytes that a NUL ends, and returns them without the NUL. */
async function readString(conn: Duplex, limit: number, signal: AbortSignal | undefined): Promise<Buffer> {
  try {
    return (await readUntil(conn, NUL, limit + NUL.length, signal)).subarray(0, -NUL.length)
  } catch (error) {
    if (isPtError(error, 'PT_LIMIT')) throw refused4(`a user id or host name is longer than ${limit} bytes`, error)
    throw error
  }
}

function answerable(conn: Duplex, { version, target, args }: Wanted): SocksRequest {
  let answered = false
  const once = (act: () => void): void => {
    if (!answered) act()
    answered = true
  }
  return {
    version,
    target: formatAddress(target),
    args,
    grant: () =>
      once(() => void conn.write(version === SOCKS5 ? formatReply5(replies.succeeded) : formatReply4(GRANTED4))),
    refuse: (error, reply) =>
      once(() => {
        void endWith(conn, version === SOCKS5 ? formatReply5(reply ?? replyFor(error)) : formatReply4(REJECTED4))
      }),
  }
}

/**
 * Sends the last bytes and closes: what the client still sends is read and dropped until it hangs up or its time is over.
 * A socket that is closed over unread bytes resets the connection, and a reset can overtake the reply.
 */
function endWith(conn: Duplex, answer: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (conn.destroyed) return resolve()
    const timer = setTimeout(() => conn.destroy(), LINGER)
    conn.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    conn.end(answer)
    conn.resume()
  })
}

function hungUp(cause: unknown): PtError {
  return new PtError('PT_CLOSED', 'the SOCKS client hung up before its request was complete', { cause })
}
