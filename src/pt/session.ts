/**
 * One connection on its way to being relayed: who hung up, how long it may take, and which sockets it opened.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { Deadline, RelayCount } from '../io/index.ts'
import { deadline, leanReads, relay, splice } from '../io/index.ts'
import type { Connect } from '../transport.ts'

export interface Handshake extends Pick<Deadline, 'again'>, Disposable {
  /** Aborts when `conn` closes, or after the time limit. */
  readonly signal: AbortSignal
}

/**
 * A signal for the handshake of an accepted connection. With `watchEnd`, an end of `conn` that no byte waits in front of
 * counts as hanging up too: a parent that closes its SOCKS connection is seen as a FIN only.
 */
export function beginHandshake(conn: Socket, ms: number, what: string, watchEnd: boolean): Handshake {
  const limit = deadline(ms, what)
  const hangup = (): void => limit.abort(new PtError('PT_CLOSED', 'the connection was closed during the handshake'))
  conn.once('close', hangup)
  // A socket that nobody reads says so by itself, once nothing is left in it.
  if (watchEnd) conn.once('end', hangup)
  if (conn.destroyed) hangup()
  return {
    signal: limit.signal,
    again: (ms, what) => limit.again(ms, what),
    [Symbol.dispose]() {
      conn.off('close', hangup).off('end', hangup)
      limit[Symbol.dispose]()
    },
  }
}

/** Runs `act` until the signal aborts. A stream that comes too late is destroyed: nobody waits for it any more. */
export async function untilAborted(signal: AbortSignal, act: () => Promise<Duplex>): Promise<Duplex> {
  let abort: (() => void) | undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
  })
  const stream = run(act)
  try {
    return ignoreErrors(await Promise.race([stream, aborted]))
  } catch (error) {
    stream.then((late) => ignoreErrors(late).destroy()).catch(() => undefined)
    throw error
  } finally {
    signal.removeEventListener('abort', abort!)
  }
}

async function run(act: () => Promise<Duplex>): Promise<Duplex> {
  return await act()
}

/** `connect`, and an end of all that it opened: a transport that fails may have forgotten a socket. */
export function trackOpened(connect: Connect): { readonly connect: Connect; destroyAll(): void } {
  const opened: Duplex[] = []
  let over = false
  return {
    async connect(target, signal) {
      const conn = adopt(await connect(target, signal))
      if (over) conn.destroy()
      opened.push(conn)
      return conn
    },
    destroyAll() {
      over = true
      for (const conn of opened) conn.destroy()
    },
  }
}

/** Carries bytes between two streams that nobody else uses any more, until both have ended (FLOW-6). */
export function carry(conn: Duplex, other: Duplex): Promise<RelayCount> {
  return splice(conn, other) ?? splice(other, conn) ?? relay(conn, other)
}

/** Takes a connection over for a handshake: its errors end no process, and its reads are lean. */
export function adopt<Conn extends Duplex>(conn: Conn): Conn {
  leanReads(conn)
  return ignoreErrors(conn)
}

/** An error that nobody listens for would end the whole process; whoever reads or writes the stream meets it as its end. */
function ignoreErrors<Stream extends Duplex>(stream: Stream): Stream {
  return stream.on('error', ignore)
}

function ignore(): void {}
