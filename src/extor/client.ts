/**
 * The PT's side of the Extended ORPort (proposals 196 and 217; SENV-11, EXT-1, EXT-2): authenticate, say which transport
 * and which client this is, and wait for OKAY. From then on the connection is the client's.
 */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { equalBytes } from '../crypto/equal-bytes.ts'
import { isPtError, PtError } from '../error.ts'
import type { Cancellation } from '../io/wait/cancellation.ts'
import { withDeadline } from '../io/wait/deadline.ts'
import { readExactly } from '../io/read.ts'
import { requireTransportName } from '../ipc/index.ts'
import { readCookieFile } from './cookie-file.ts'
import { HANDSHAKE_TIMEOUT } from './handshake-timeout.ts'
import { commands, encodeFrame, readFrame, UNKNOWN_COMMANDS_LIMIT } from './frame.ts'
import {
  AUTH_ACCEPTED,
  clientHash,
  END_OF_AUTH_TYPES,
  HASH_SIZE,
  NONCE_SIZE,
  SAFE_COOKIE,
  serverHash,
} from './safe-cookie.ts'
import { formatUserAddress } from './user-address.ts'

const AUTH_TYPES_LIMIT = 255

/** What connectExtOrPort tells an Extended ORPort about a client. */
export interface ExtOrPortRequest {
  /** It is read again for each connection: a parent that starts again makes a new cookie. */
  readonly cookieFile: string
  /** The transport that the client used. It is not said if it is empty or undefined. */
  readonly transport?: string | undefined
  /** The address that the client came from, `<ip>:<port>`, IPv6 in brackets. It is not said if it is empty or undefined. */
  readonly userAddr?: string | undefined
  /** The time for the whole handshake, in milliseconds. Default 30,000. */
  readonly handshakeTimeout?: number | undefined
}

/**
 * Makes `conn`, fresh from the Extended ORPort, the client's connection: resolves once the server has said OKAY, and what
 * follows OKAY stays in `conn`. If it rejects, `conn` is destroyed. Rejects with
 * - PT_EXTOR_AUTH: the cookie cannot be used, or one side holds another one
 * - PT_EXTOR_DENIED: the server refused this client
 * - PT_EXTOR: the server broke the protocol, or the request cannot be said
 * - PT_CLOSED, PT_TIMEOUT, a system error, or the signal's reason
 */
export async function connectExtOrPort(conn: Duplex, request: ExtOrPortRequest, signal?: Cancellation): Promise<void> {
  // An error between two reads would find no listener; the next read finds the stream destroyed.
  const ignore = (): void => {}
  conn.on('error', ignore)
  try {
    const introduction = formatIntroduction(request)
    await withDeadline(request.handshakeTimeout ?? HANDSHAKE_TIMEOUT, 'the Extended ORPort', signal, async (signal) => {
      await authenticate(conn, await readCookieFile(request.cookieFile), signal)
      conn.write(introduction)
      await awaitOkay(conn, signal)
    })
    conn.off('error', ignore)
  } catch (error) {
    conn.destroy()
    throw error
  }
}

function formatIntroduction({ userAddr, transport }: ExtOrPortRequest): Buffer {
  const frames: Buffer[] = []
  if (userAddr) frames.push(encodeFrame(commands.USERADDR, formatUserAddress(userAddr)))
  if (transport) frames.push(encodeFrame(commands.TRANSPORT, requireTransportName(transport)))
  return Buffer.concat([...frames, encodeFrame(commands.DONE)])
}

async function authenticate(conn: Duplex, cookie: Buffer, signal: AbortSignal): Promise<void> {
  const types = await readAuthTypes(conn, signal)
  if (!types.includes(SAFE_COOKIE)) throw new PtError('PT_EXTOR', 'the Extended ORPort does not offer SAFE_COOKIE')
  const clientNonce = randomBytes(NONCE_SIZE)
  conn.write(Buffer.concat([Buffer.of(SAFE_COOKIE), clientNonce]))

  const shown = await readExactly(conn, HASH_SIZE, signal)
  const serverNonce = await readExactly(conn, NONCE_SIZE, signal)
  // This comes before our own hash is sent: a server without the cookie learns nothing made from it.
  if (!equalBytes(shown, serverHash(cookie, clientNonce, serverNonce))) {
    throw new PtError('PT_EXTOR_AUTH', 'the Extended ORPort does not hold the cookie of the cookie file')
  }
  conn.write(clientHash(cookie, clientNonce, serverNonce))
  if ((await readStatus(conn, signal)) !== AUTH_ACCEPTED) throw refused()
}

/** Up to 255 types, then 00. */
async function readAuthTypes(conn: Duplex, signal: AbortSignal): Promise<number[]> {
  const types: number[] = []
  for (;;) {
    const type = (await readExactly(conn, 1, signal))[0]!
    if (type === END_OF_AUTH_TYPES) return types
    if (types.length === AUTH_TYPES_LIMIT) {
      throw new PtError('PT_EXTOR', 'the list of authentication types of the Extended ORPort does not end')
    }
    types.push(type)
  }
}

/** tor queues 00 for a wrong hash and closes at once, so its end may be all that arrives. */
async function readStatus(conn: Duplex, signal: AbortSignal): Promise<number> {
  try {
    return (await readExactly(conn, 1, signal))[0]!
  } catch (error) {
    const ended = isPtError(error, 'PT_CLOSED') || (error as NodeJS.ErrnoException).code === 'ECONNRESET'
    throw ended ? refused(error) : error
  }
}

function refused(cause?: unknown): PtError {
  return new PtError('PT_EXTOR_AUTH', 'the Extended ORPort refused the authentication', { cause })
}

/** Commands that we do not know are skipped, CONTROL among them, which nothing is defined for. */
async function awaitOkay(conn: Duplex, signal: AbortSignal): Promise<void> {
  for (let skipped = 0; skipped <= UNKNOWN_COMMANDS_LIMIT; skipped++) {
    const { command } = await readFrame(conn, signal)
    if (command === commands.OKAY) return
    if (command === commands.DENY) throw new PtError('PT_EXTOR_DENIED', 'the Extended ORPort denied the connection')
  }
  throw new PtError('PT_EXTOR', `the Extended ORPort sent ${UNKNOWN_COMMANDS_LIMIT} unknown commands and no answer`)
}
