/**
 * The server's side of one Extended ORPort connection (proposals 196 and 217; EXT-1, EXT-2), up to its OKAY.
 */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { equalBytes } from '../crypto/equal-bytes.ts'
import { PtError } from '../error.ts'
import { orAborted } from '../io/wait/deadline.ts'
import { readExactly } from '../io/read.ts'
import type { Address } from '../ipc/index.ts'
import { isTransportName } from '../ipc/index.ts'
import { commands, encodeFrame, readFrame, UNKNOWN_COMMANDS_LIMIT } from './frame.ts'
import {
  AUTH_ACCEPTED,
  AUTH_REFUSED,
  clientHash,
  END_OF_AUTH_TYPES,
  HASH_SIZE,
  NONCE_SIZE,
  SAFE_COOKIE,
  serverHash,
} from './safe-cookie.ts'
import { parseUserAddress } from './user-address.ts'

/** The transport and the client of a connection, as the PT said them. */
export interface ExtOrPortClient {
  /** Undefined if the PT named none. */
  readonly transport: string | undefined
  /** The address that the client came from; its port is 0 if the PT gave none. Undefined if the PT gave no address. */
  readonly userAddr: Address | undefined
}

/** A function that says whether a client is allowed; a false answer is sent as DENY. */
export type Allow = (client: ExtOrPortClient) => boolean | Promise<boolean>

export interface AcceptOptions {
  readonly allow: Allow
  /** Called once the PT has shown that it knows the cookie. */
  readonly authenticated?: () => void
}

/** Resolves after OKAY, with nothing of the client's bytes read. A rejection says why the PT is to be cut off. */
export async function acceptExtOrPort(
  conn: Duplex,
  cookie: Uint8Array,
  { allow, authenticated }: AcceptOptions,
  signal: AbortSignal,
): Promise<ExtOrPortClient> {
  await authenticate(conn, cookie, signal)
  authenticated?.()
  const client = await readIntroduction(conn, signal)
  requireSilence(conn)
  const denial = await orAborted(denialOf(allow, client), signal)
  if (denial !== undefined) {
    conn.end(encodeFrame(commands.DENY))
    throw denial
  }
  requireSilence(conn)
  conn.write(encodeFrame(commands.OKAY))
  return client
}

async function authenticate(conn: Duplex, cookie: Uint8Array, signal: AbortSignal): Promise<void> {
  conn.write(Buffer.of(SAFE_COOKIE, END_OF_AUTH_TYPES))
  const type = (await readExactly(conn, 1, signal))[0]!
  if (type !== SAFE_COOKIE)
    throw new PtError('PT_EXTOR', `a PT chose authentication type ${type}, which is not on offer`)

  const clientNonce = await readExactly(conn, NONCE_SIZE, signal)
  const serverNonce = randomBytes(NONCE_SIZE)
  conn.write(Buffer.concat([serverHash(cookie, clientNonce, serverNonce), serverNonce]))

  const shown = await readExactly(conn, HASH_SIZE, signal)
  if (!equalBytes(shown, clientHash(cookie, clientNonce, serverNonce))) {
    conn.end(Buffer.of(AUTH_REFUSED))
    throw new PtError('PT_EXTOR_AUTH', 'a PT does not hold the cookie of the Extended ORPort')
  }
  conn.write(Buffer.of(AUTH_ACCEPTED))
}

/** USERADDR and TRANSPORT, each replacing an earlier one, up to DONE. Commands that we do not know are skipped. */
async function readIntroduction(conn: Duplex, signal: AbortSignal): Promise<ExtOrPortClient> {
  let transport: string | undefined
  let userAddr: Address | undefined
  for (let unknown = 0; unknown <= UNKNOWN_COMMANDS_LIMIT; unknown++) {
    const { command, body } = await readFrame(conn, signal)
    const text = body.toString('latin1')
    if (command === commands.DONE) return { transport, userAddr }
    if (command === commands.USERADDR) userAddr = parseUserAddress(text)
    else if (command === commands.TRANSPORT) transport = requireTransport(text)
  }
  throw new PtError('PT_EXTOR', `a PT sent more than ${UNKNOWN_COMMANDS_LIMIT} commands and no DONE`)
}

function requireTransport(text: string): string {
  if (isTransportName(text)) return text
  throw new PtError('PT_EXTOR', 'a PT named a transport that is no C identifier')
}

/** Throws if anything was sent between DONE and OKAY: such bytes could be meant for a server that never asks. */
function requireSilence(conn: Duplex): void {
  if (conn.readableLength > 0) throw new PtError('PT_EXTOR', 'a PT sent bytes between DONE and OKAY')
  if (conn.destroyed) throw new PtError('PT_CLOSED', 'a PT closed the connection between DONE and OKAY')
}

/** Asks whether the connection is allowed; if the question itself fails, it is not. */
async function denialOf(allow: Allow, client: ExtOrPortClient): Promise<PtError | undefined> {
  const message = 'a connection to the Extended ORPort was denied by the application'
  try {
    return (await allow(client)) ? undefined : new PtError('PT_EXTOR_DENIED', message)
  } catch (cause) {
    return new PtError('PT_EXTOR_DENIED', message, { cause })
  }
}
