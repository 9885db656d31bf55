/**
 * One connection on its way to being relayed: who hung up, how long it may take, and which sockets it opened.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { Cancellation, Deadline, EndWatcher, RelayCount } from '../io/index.ts'
import { deadline, endTogether, hearErrors, leanReads, relay, splice, watchEnds } from '../io/index.ts'
import type { Connect } from '../transport.ts'

/**
 * The handshake of an accepted connection, and what a transport is told of it afterwards: its signal aborts when the connection
 * has closed, however long it lives. With `watchEnd`, an end of `conn` that no byte waits in front of counts as hanging up during
 * the handshake: a parent that closes its SOCKS connection is seen as a FIN only.
 */
export class Handshake implements EndWatcher {
  readonly #watchEnd: boolean
  readonly #limit: Deadline
  #over = false

  constructor(conn: Duplex, ms: number, what: string, watchEnd: boolean) {
    this.#watchEnd = watchEnd
    this.#limit = deadline(ms, what)
    watchEnds(conn, this)
    if (conn.destroyed) this.onClose()
  }

  /** Aborts when `conn` closes, or after the time limit of its handshake. */
  get cancellation(): Cancellation {
    return this.#limit.cancellation
  }

  /** What a transport is given, with what ends it; the signal is made for who asks for it. */
  session<Given extends object>(given: Given): Given & Pick<Deadline, 'cancellation' | 'signal'> {
    return sessionOf(given, this.#limit)
  }

  /** Begins another wait under the same signal. */
  again(ms: number, what: string): void {
    this.#limit.again(ms, what)
  }

  /** Runs `act` until the signal aborts. A stream that comes too late is destroyed: nobody waits for it any more. */
  until(act: () => Promise<Duplex>): Promise<Duplex> {
    const signal = this.cancellation
    return new Promise((resolve, reject) => {
      const abandon = (): void => reject(signal.reason)
      if (signal.aborted) abandon()
      else signal.addEventListener('abort', abandon)
      const arrived = (stream: Duplex): void => {
        ignoreErrors(stream)
        signal.removeEventListener('abort', abandon)
        if (signal.aborted) stream.destroy()
        else resolve(stream)
      }
      run(act).then(arrived).catch(reject)
    })
  }

  /** A socket that nobody reads says so by itself, once nothing is left in it. */
  onEnd(): void {
    if (this.#watchEnd && !this.#over) this.onClose()
  }

  onClose(): void {
    const what = this.#over ? 'the connection has ended' : 'the connection was closed during the handshake'
    this.#limit.abort(new PtError('PT_CLOSED', what))
  }

  /** The handshake is over, one way or another. The signal goes on until the connection has closed. */
  over(): void {
    this.#over = true
    this.#limit.clear()
  }
}

async function run(act: () => Promise<Duplex>): Promise<Duplex> {
  return await act()
}

/** `given` and what ends the session; the signal is made if somebody asks for it. */
export function sessionOf<Given extends object>(
  given: Given,
  limit: Deadline,
): Given & Pick<Deadline, 'cancellation' | 'signal'> {
  return {
    ...given,
    cancellation: limit.cancellation,
    get signal() {
      return limit.signal
    },
  }
}

/** What a dial may open, and what ends it. */
export interface Opened {
  readonly connect: Connect
  /** True once a connection has been made. */
  readonly connected: boolean
  destroyAll(): void
}

/** `connect`, and an end of all that it opened: a transport that fails may have forgotten a socket. */
export function trackOpened(connect: Connect): Opened {
  const opened: Duplex[] = []
  let over = false
  return {
    async connect(target, signal) {
      const conn = adopt(await connect(target, signal))
      if (over) conn.destroy()
      opened.push(conn)
      return conn
    },
    get connected() {
      return opened.length > 0
    },
    destroyAll() {
      over = true
      for (const conn of opened) conn.destroy()
    },
  }
}

/**
 * Carries bytes between two streams that nobody else uses any more, until both are closed (FLOW-6). The first end of either
 * closes the wire both ways, as obfs4proxy does; with `halfOpen` the two directions end one by one.
 */
export function carry(application: Duplex, wire: Duplex, halfOpen: boolean): Promise<RelayCount> {
  const spliced = splice(application, wire, { halfOpen })
  if (spliced !== undefined) return spliced
  if (!halfOpen) endTogether(wire)
  return relay(application, wire, { wire, halfOpen })
}

/** Takes a connection over for a handshake: its errors end no process, and its reads are lean. */
export function adopt<Conn extends Duplex>(conn: Conn): Conn {
  leanReads(conn)
  return hearErrors(conn)
}

/** The one listener that hearErrors() would add to three: what a handshake gives is most often taken apart at once. */
function ignoreErrors<Stream extends Duplex>(stream: Stream): Stream {
  return stream.on('error', ignore)
}

function ignore(): void {}
