/**
 * Closing a connection both ways at once, as Close() of Go does: bytes that the system has taken are still delivered, nothing more
 * is read, and the system sends a FIN, or an RST if bytes lie there unread (docs/decisions/0003-relay-endings.md).
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../../error.ts'
import { channelOf } from './node-channel.ts'

/** How long a half-closed connection may be silent, in milliseconds: its peer may be gone, and keep-alives do not show that. */
export const HALF_OPEN_LIMIT = 60_000

/** How many bytes are read and thrown away, at most, so that bytes on their way to the other side are not lost by a reset. */
export const DISCARD_LIMIT = 262_144

/**
 * Closes `conn` both ways and drops what it has not passed on yet. A stream that is no TCP connection ends first, because it may
 * have an end of its own to send, such as TLS's close_notify.
 */
export function closeAtOnce(conn: Duplex): void {
  if (channelOf(conn) !== undefined || conn.writableFinished) conn.destroy()
  else conn.end(() => conn.destroy())
}

/** Closes `conn` both ways after the system has taken all that was written to it. */
export function closeOnceWritten(conn: Duplex): void {
  // An empty write is called back after all those that wait before it.
  if (conn.writableLength > 0 && channelOf(conn) !== undefined) conn.write(Buffer.alloc(0), () => conn.destroy())
  else closeAtOnce(conn)
}

/** Closes `conn` with a reset, which says that something is missing. A stream that is no TCP connection is just destroyed. */
export function closeWithReset(conn: Duplex): void {
  const channel = channelOf(conn)
  if (channel === undefined) conn.destroy()
  else channel.closeWithReset()
}

/**
 * Calls `act` after a whole turn of the event loop, in which every socket that is read has given the bytes that the system had for
 * it. Bytes that came before an end and were not read yet would turn the close that follows into a reset, and a reset drops the
 * bytes that are on their way. The padding that obfs3's client sends after its key is such a case.
 */
export function afterOneTurn(act: () => void): void {
  setImmediate(() => setImmediate(act))
}

/** Gives the bytes that the buffer of a stream still holds, also if the stream is destroyed. */
export function* leftIn(stream: Duplex): Generator<Buffer> {
  for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) yield chunk
}

/** Reads on and throws the bytes away, but no more than DISCARD_LIMIT. */
export function discard(conn: Duplex): void {
  let discarded = 0
  conn.on('data', (chunk: Buffer) => {
    discarded += chunk.length
    if (discarded > DISCARD_LIMIT) conn.pause()
  })
  conn.resume()
}

/** The error of a half-closed connection that is given up. */
export function silent(): PtError {
  return new PtError('PT_TIMEOUT', `a half-closed connection was silent for ${HALF_OPEN_LIMIT / 1_000} s`)
}
