/** connectTls: a handshake with a limit on its time, and what ends it early said in one way. */
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../error.ts'
import { silenceErrors } from '../io/ends.ts'
import { startHandshakeReads } from '../io/tcp/handshake-reader.ts'
import { deadline } from '../io/wait/deadline.ts'
import { checkArgument, checkOptions } from '../options.ts'
import type { Verification } from './certificates/verify.ts'
import { verifyCertificates } from './certificates/verify.ts'
import { givenRoots } from './certificates/roots.ts'
import type { Established, HandshakeOptions } from './handshake.ts'
import { clientHandshake, sendFault } from './handshake.ts'
import { HandshakeWire } from './handshake-wire.ts'
import { connectNode } from './node-profile.ts'
import { aStream, connectTlsChecks } from './option-checks.ts'
import type { ProfileName } from './profiles/built-in.ts'
import { profiles } from './profiles/built-in.ts'
import type { Profile } from './profiles/profile.ts'
import type { Ticket, TicketStore } from './tickets.ts'
import type { TlsConnection } from './tls-connection.ts'
import { TlsStream } from './tls-stream.ts'

/** In ms. */
const DEFAULT_TIMEOUT = 30_000

/** What the connection shows, which certificates it trusts, and when it is given up. */
export interface ConnectTlsOptions {
  /** Whose hello is sent. By default it is that of a WebSocket of Chromium. readProfile() gives one from a file. */
  readonly profile?: ProfileName | Profile | undefined
  /** The host that is named to the server, and to everybody on the way. An IP address is not named, as browsers do not. */
  readonly servername: string
  /** The name that the certificate has to carry, if it is not `servername`. With '*' any name will do; the chain is still verified. */
  readonly verifyName?: string | undefined
  /**
   * The hash of the server's whole chain (32 bytes), as chainHash() gives it and as lyrebird's `cert` has it. It takes the place of
   * roots, names and dates, unless `roots` or `verifyName` are given too: then both have to hold.
   */
  readonly pin?: Uint8Array | undefined
  /** Protocols of the application in place of those of the profile, which makes the hello another one than the browser's. */
  readonly alpn?: readonly string[] | undefined
  /** Certificates to trust, in PEM, in place of those of SSL_CERT_FILE, SSL_CERT_DIR, the system or Node. */
  readonly roots?: string | readonly string[] | undefined
  /** The tickets for the next visit are kept here. Without it every visit is a first one. */
  readonly tickets?: TicketStore | undefined
  /**
   * True if an end of the server without close_notify is an ordinary end, for a protocol that notices by itself if something is
   * missing. Amid a record it is an error all the same.
   */
  readonly mayEndAbruptly?: boolean | undefined
  /** How long the handshake may take, in ms; 30,000 by default. */
  readonly timeout?: number | undefined
  /** Ends the handshake; the connection that has come of it is not touched. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Shakes hands over `conn`, which has to be connected, and resolves with the protected stream. `conn` is closed if it rejects: with
 * PT_CERTIFICATE (stage `certificate`) if the server did not prove who it is, PT_TLS if it cannot be agreed with or hung up, PT_TIMEOUT, or
 * the reason of the signal.
 */
export async function connectTls(conn: Duplex, options: ConnectTlsOptions): Promise<TlsConnection> {
  checkArgument('connectTls', 'conn', conn, aStream)
  checkOptions('connectTls', options, connectTlsChecks)
  silenceErrors(conn)
  using limit = deadline(options.timeout ?? DEFAULT_TIMEOUT, 'the TLS handshake', options.signal)
  const attempt: Attempt = { hasAnswered: false, signal: limit.signal, verification: verificationOf(options) }
  try {
    const { profile = 'chromium-websocket' } = options
    if (profile === 'node') return await connectNode(conn, options, attempt)
    return await connectWith(conn, typeof profile === 'string' ? profiles[profile] : profile, options, attempt)
  } catch (error) {
    const broken = error === conn.errored
    conn.destroy()
    throw diagnose(error, broken, attempt)
  }
}

/** The server said nothing to the hello in time, or hung up instead: another hello may be answered. */
export class UnansweredHello extends PtError {}

/** What one call knows besides its options. */
export interface Attempt {
  hasAnswered: boolean
  readonly signal: AbortSignal
  readonly verification: Verification
}

async function connectWith(
  conn: Duplex,
  profile: Profile,
  options: ConnectTlsOptions,
  attempt: Attempt,
): Promise<TlsStream> {
  const { servername, alpn, tickets } = options
  const { verification, signal } = attempt
  const key = visitKey(profile.name, options, verification)
  startHandshakeReads(conn)
  const wire = new HandshakeWire(conn, signal)
  const handshake: HandshakeOptions = {
    profile,
    servername: isIP(servername) > 0 ? undefined : servername,
    alpn,
    ticket: await usableTicket(tickets, key, verification),
    verification,
    onServerHello: () => void (attempt.hasAnswered = true),
  }
  let established: Established
  try {
    established = await clientHandshake(wire, handshake)
  } catch (error) {
    if (!conn.destroyed) sendFault(wire, error)
    throw error
  }
  return new TlsStream(conn, {
    established,
    rest: wire.takeRest(),
    onTicket: (ticket) => tickets?.put(key, ticket),
    mayEndAbruptly: options.mayEndAbruptly === true,
  })
}

/** A ticket whose certificates would still be accepted: a resumed connection shows none. */
async function usableTicket(
  tickets: TicketStore | undefined,
  key: string,
  verification: Verification,
): Promise<Ticket | undefined> {
  const ticket = tickets?.take(key)
  if (ticket === undefined) return undefined
  const verified = await verifyCertificates(ticket.certificates, verification).catch(() => undefined)
  return verified && ticket
}

/** A ticket of one profile, name and way to verify is of no use for another. */
function visitKey(
  profile: string,
  { servername, alpn }: ConnectTlsOptions,
  { name, pin, roots }: Verification,
): string {
  return JSON.stringify([
    profile,
    servername,
    alpn,
    name,
    pin && Buffer.from(pin).toString('hex'),
    roots === false || roots?.id,
  ])
}

function verificationOf({ servername, verifyName, pin, roots }: ConnectTlsOptions): Verification {
  const pinAlone = pin !== undefined && roots === undefined && verifyName === undefined
  const name = verifyName ?? servername
  return {
    name: name === '*' ? undefined : name,
    pin,
    roots: pinAlone ? false : roots === undefined ? undefined : givenRoots(roots),
  }
}

function diagnose(error: unknown, broken: boolean, { signal, hasAnswered }: Attempt): unknown {
  if (signal.aborted && error === signal.reason) {
    if (!isPtError(error, 'PT_TIMEOUT')) return error
    const Late = hasAnswered ? PtError : UnansweredHello
    return new Late('PT_TIMEOUT', error.message, { stage: 'timeout', cause: error })
  }
  if (!broken && !isPtError(error, 'PT_CLOSED')) return error
  const [Closed, when] = hasAnswered
    ? [PtError, 'during the TLS handshake']
    : [UnansweredHello, 'instead of answering the TLS hello']
  return new Closed('PT_TLS', `the server closed the connection ${when}`, { stage: 'closed', cause: error })
}
