/**
 * Closing a connection both ways at once, as Go's Close() does: what the system has taken is still delivered, nothing more is
 * read, and the system says FIN, or RST if bytes lie there unread (docs/decisions/0003-relay-endings.md).
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { PtError } from '../../error.ts'
import { TcpSocket } from './tcp-socket.ts'

/** How long a half-closed connection may be silent, in milliseconds: its peer may be gone, and keep-alives do not tell. */
export const HALF_OPEN_LIMIT = 60_000

/** Bytes that are read and thrown away for the sake of what is on its way to the other side, at most. */
export const DISCARD_LIMIT = 262_144

/**
 * Closes `conn` both ways; what it has not passed on yet is dropped. A stream of another kind than TCP ends first, as it may
 * have an end of its own to say, such as TLS's close_notify.
 */
export function closeAtOnce(conn: Duplex): void {
  if (isTcp(conn) || conn.writableFinished) conn.destroy()
  else conn.end(() => conn.destroy())
}

/** Closes `conn` both ways after the system has taken all that was written to it. */
export function closeOnceWritten(conn: Duplex): void {
  // An empty write is called back after all those that wait before it.
  if (conn.writableLength > 0 && isTcp(conn)) conn.write(Buffer.alloc(0), () => conn.destroy())
  else closeAtOnce(conn)
}

/**
 * Closes `socket` with a reset, which says that something is missing. libuv refuses that while the socket's end is on its way, and
 * Node then neither closes the socket nor says so, so such a one is closed plainly.
 */
export function closeWithReset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy()
  else socket.resetAndDestroy()
}

/**
 * Calls back after a whole turn of the event loop, in which each socket that is read has given what the system had for it.
 * Bytes that came before an end, but were not looked at yet, would turn the close that follows into a reset, and a reset takes
 * what is on its way along: the padding that obfs3's client sends after its key is such a case.
 */
export function afterOneTurn(act: () => void): void {
  setImmediate(() => setImmediate(act))
}

function isTcp(conn: Duplex): boolean {
  return conn instanceof TcpSocket || (conn instanceof Socket && !('encrypted' in conn))
}

/** What the buffer of a stream still holds, also of one that is destroyed. */
export function* leftIn(stream: Duplex): Generator<Buffer> {
  for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) yield chunk
}

/** Reads on and throws away, but no more than DISCARD_LIMIT. */
export function discard(conn: Duplex): void {
  let discarded = 0
  conn.on('data', (chunk: Buffer) => {
    discarded += chunk.length
    if (discarded > DISCARD_LIMIT) conn.pause()
  })
  conn.resume()
}

/** Why a half-closed connection is given up. */
export function silent(): PtError {
  return new PtError('PT_TIMEOUT', `a half-closed connection was silent for ${HALF_OPEN_LIMIT / 1_000} s`)
}
