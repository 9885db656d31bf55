/**
 * Serves the connections of one transport's server, up to the moment at which a stream for the application is there.
 *
 *     accepted socket ── accept() ─┬─ stream ──────────────── onConnection
 *                                  └─ undefined: the connection belongs to a session
 *     deliver(stream) ──────────────────────────────────────── onConnection
 *
 * A failed handshake says nothing to the client, so that no probe learns from it. A transport that throws loses that one
 * connection, and the others go on.
 */
import type { Duplex } from 'node:stream'
import { messageOf, PtError } from '../error.ts'
import { silenceErrors } from '../io/ends.ts'
import type { TcpConn } from '../io/tcp/channel.ts'
import { carry } from '../io/carry/carry.ts'
import { endTogether } from '../io/carry/framed.ts'
import type { RelayCount } from '../io/carry/relay.ts'
import { relay } from '../io/carry/relay.ts'
import type { Accepted, Report, Server } from '../transport.ts'
import { prepare } from './prepare.ts'
import type { Admission, Connections } from './connections.ts'
import { endWhenIdle } from './idle.ts'
import { seldom } from './seldom.ts'
import { ignoreErrors, SessionSignal } from './session-signal.ts'
import { peerOf, readUserAddress } from './user-address.ts'

/** A backstop: transports have limits of their own, and hold failed handshakes open for a time of their choice. */
const ACCEPT_TIMEOUT = 180_000
/** Systems ask a silent TCP peer after as long a time whether it is still there (RFC 1122, section 4.2.3.6). */
const SESSION_IDLE_TIMEOUT = 7_200_000
const MOST_SESSIONS = 65_536
/** How often the same warning is said, in ms. */
const SAID_EVERY = 60_000

/** A stream for the application, and what is known of it. */
export interface Incoming {
  readonly stream: Duplex
  /** The accepted socket, or `stream` itself if the transport has delivered it. */
  readonly conn: Duplex
  /** The client's `<ip>:<port>`, if it is known. */
  readonly userAddr: string | undefined
  /** It aborts when `conn` has closed; `again` begins a wait of a limited time under it. */
  readonly signal: SessionSignal
  /** Carries bytes between `far` and the stream until both are closed; then `conn` is closed too. */
  carryTo(far: Duplex, halfOpen: boolean): Promise<RelayCount>
}

/**
 * Takes a stream over. If it rejects, the stream and its connection are destroyed. Once it has resolved, they are the
 * business of the code that was called: `carryTo` closes them at the end.
 */
export type OnIncoming = (incoming: Incoming) => void | Promise<void>

interface ServiceLimits {
  /** Milliseconds for the handshake with a client. Default 180,000. */
  readonly acceptTimeout?: number | undefined
  /** Milliseconds after which a delivered session that has carried no byte is ended. Default two hours. */
  readonly sessionIdleTimeout?: number | undefined
  /** The number of connections beyond which a delivered session is destroyed. Default 65,536. */
  readonly maxSessions?: number | undefined
}

export interface ServiceOptions extends ServiceLimits {
  readonly report: Report
  readonly connections: Connections
  /** False saves the look at the peer's address. Default true. */
  readonly wantsUserAddr?: boolean | undefined
  readonly onConnection: OnIncoming
}

export class Service {
  readonly #options: ServiceOptions
  readonly #warn: (text: string) => void
  #over = false

  constructor(options: ServiceOptions) {
    this.#options = options
    this.#warn = seldom(SAID_EVERY, (text: string) => options.report.log('warning', text))
  }

  /** Serves one accepted connection by `server`; never rejects. */
  async serve(server: Server, conn: TcpConn, admission: Admission): Promise<void> {
    const { report, acceptTimeout = ACCEPT_TIMEOUT, wantsUserAddr = true } = this.#options
    prepare(conn)
    // This comes first, because a socket that is closed has forgotten its peer.
    const peer = wantsUserAddr ? peerOf(conn) : undefined
    const signal = new SessionSignal(conn, acceptTimeout, 'the handshake', false)
    try {
      const session = signal.session({ conn, ...report })
      const accepted = await signal.until(() => server.accept(session), streamOf)
      admission.established()
      // The connection is the transport's, which ends it as it likes; until then it is counted.
      if (accepted === undefined) return
      const [stream, userAddr] = isAccepted(accepted)
        ? [accepted.stream, readUserAddress(accepted.userAddr)]
        : [accepted, peer]
      await this.#handOver(new IncomingConnection(stream, conn, userAddr, signal))
    } catch (error) {
      conn.destroy()
      report.log('debug', `connection ended: ${messageOf(error)}`)
    } finally {
      signal.over()
    }
  }

  /** The `deliver` of ServerOptions. Throws a TypeError for a value that is no stream. */
  readonly deliver = (stream: Duplex, client: Pick<Accepted, 'userAddr'> = {}): void => {
    const { connections, sessionIdleTimeout = SESSION_IDLE_TIMEOUT, maxSessions = MOST_SESSIONS } = this.#options
    silenceErrors(ignoreErrors(stream))
    if (this.#over) return void stream.destroy(new PtError('PT_STOPPED', 'the server has been closed'))
    if (connections.count.open >= maxSessions) {
      this.#warn(`sessions are refused, as ${connections.count.open} connections are open`)
      return void stream.destroy(new PtError('PT_LIMIT', 'there are too many sessions'))
    }
    connections.admit(stream).established()
    endWhenIdle(stream, sessionIdleTimeout)
    void this.#begin(stream, readUserAddress(client.userAddr))
  }

  /** Later sessions are refused. */
  end(): void {
    this.#over = true
  }

  async #begin(stream: Duplex, userAddr: string | undefined): Promise<void> {
    const signal = new SessionSignal(stream, ACCEPT_TIMEOUT, 'the session', false)
    try {
      await this.#handOver(new DeliveredSession(stream, userAddr, signal))
    } catch (error) {
      this.#options.report.log('debug', `session ended: ${messageOf(error)}`)
    } finally {
      signal.over()
    }
  }

  async #handOver(incoming: Incoming): Promise<void> {
    try {
      await this.#options.onConnection(incoming)
    } catch (error) {
      incoming.stream.destroy()
      throw error
    }
  }
}

class IncomingConnection implements Incoming {
  readonly stream: Duplex
  readonly conn: Duplex
  readonly userAddr: string | undefined
  readonly signal: SessionSignal

  constructor(stream: Duplex, conn: Duplex, userAddr: string | undefined, signal: SessionSignal) {
    this.stream = stream
    this.conn = conn
    this.userAddr = userAddr
    this.signal = signal
  }

  carryTo(far: Duplex, halfOpen: boolean): Promise<RelayCount> {
    const { stream } = this
    return carry(far, stream, { wire: stream, halfOpen }).finally(() => this.conn.destroy())
  }
}

class DeliveredSession implements Incoming {
  readonly stream: Duplex
  readonly conn: Duplex
  readonly userAddr: string | undefined
  readonly signal: SessionSignal

  constructor(stream: Duplex, userAddr: string | undefined, signal: SessionSignal) {
    this.stream = this.conn = stream
    this.userAddr = userAddr
    this.signal = signal
  }

  /** By relay() alone: splice() would take the stream apart, and endWhenIdle() would see no byte any more. */
  carryTo(far: Duplex, halfOpen: boolean): Promise<RelayCount> {
    const { stream } = this
    if (!halfOpen) endTogether(stream)
    return relay(far, stream, { wire: stream, halfOpen }).finally(() => stream.destroy())
  }
}

function isAccepted(accepted: Duplex | Accepted): accepted is Accepted {
  return 'stream' in accepted
}

function streamOf(accepted: Duplex | Accepted | undefined): Duplex | undefined {
  if (accepted === undefined) return undefined
  return ignoreErrors(isAccepted(accepted) ? accepted.stream : accepted)
}
