/**
 * The frame around a handshake: a time limit, and errors that say to the operator which stage failed and what it most
 * likely means. Whatever ends a handshake early also ends its connection.
 */
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../error.ts'
import type { Cancellation } from '../io/wait/cancellation.ts'
import { closeAfter } from '../io/wait/deadline.ts'
import { silenceErrors } from '../io/ends.ts'
import { boundReads } from '../io/tcp/handshake-reader.ts'
import type { Codec } from '../io/carry/codec.ts'
import { framed } from '../io/carry/framed.ts'
import type { ClientSession, ServerSession } from '../transport.ts'

/** The side that opened the connection and the side that accepted it, in the words of obfs2's and obfs3's key derivation. */
export type Role = 'Initiator' | 'Responder'

/** Returns what ends the waits of a session: `cancellation` if there is one, as it is cheaper than `signal`. */
export function cancellationOf(session: ClientSession | ServerSession): Cancellation {
  return session.cancellation ?? session.signal
}

export function opposite(role: Role): Role {
  return role === 'Initiator' ? 'Responder' : 'Initiator'
}

export interface HandshakeOptions {
  /** The time for the whole handshake, in milliseconds. */
  readonly timeout: number
  readonly signal: Cancellation
  /** What a peer that does not answer in time most likely is; a whole sentence. */
  readonly late: string
  /** What a peer that hangs up before its answer most likely is; a whole sentence. */
  readonly closed: string
  /** Takes from the system no more than the handshake asks for, and at most so many bytes by one read: boundReads() says why. */
  readonly mostPerRead?: number
}

/**
 * Runs `act` on `conn`, and resolves with a stream that runs `conn` through the resulting codec. Rejects with PT_HANDSHAKE: stage `timeout`
 * and `closed` by the sentences of `options`, others as `act` throws them; or with the reason of the signal.
 */
export async function handshake(
  conn: Duplex,
  options: HandshakeOptions,
  act: (signal: Cancellation) => Promise<Codec>,
): Promise<Duplex> {
  // Between two reads there is no other listener.
  silenceErrors(conn)
  if (options.mostPerRead !== undefined) boundReads(conn, options.mostPerRead)
  const limit = closeAfter(conn, options.timeout, 'the handshake')
  try {
    const codec = await act(options.signal)
    // A stream that has closed by now has reported it already, when there was no listener.
    if (conn.destroyed) throw conn.errored ?? new PtError('PT_CLOSED', 'the connection was closed')
    return framed(conn, codec)
  } catch (error) {
    const broken = error === conn.errored
    conn.destroy()
    throw diagnose(error, broken, options)
  } finally {
    limit.clear()
  }
}

function diagnose(error: unknown, broken: boolean, { signal, late, closed }: HandshakeOptions): unknown {
  // The limit may be ours or the PT's, which covers the connecting too.
  if (isPtError(error, 'PT_TIMEOUT')) return new PtError('PT_HANDSHAKE', late, { stage: 'timeout', cause: error })
  if (signal.aborted && error === signal.reason) return error
  if (broken || isPtError(error, 'PT_CLOSED')) {
    return new PtError('PT_HANDSHAKE', closed, { stage: 'closed', cause: error })
  }
  return error
}
