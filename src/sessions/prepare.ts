/** A connection before its handshake. */
import type { Duplex } from 'node:stream'
import { silenceErrors } from '../io/ends.ts'
import { startHandshakeReads } from '../io/tcp/handshake-reader.ts'

/** Prepares a connection for a handshake: its errors end no process, and its reads cost little. */
export function prepare<Conn extends Duplex>(conn: Conn): Conn {
  startHandshakeReads(conn)
  return silenceErrors(conn)
}
