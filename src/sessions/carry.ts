/** A connection before and after its handshake. */
import type { Duplex } from 'node:stream'
import type { RelayCount } from '../io/index.ts'
import { endTogether, hearErrors, leanReads, relay, splice } from '../io/index.ts'

/** Prepares a connection for a handshake: its errors end no process, and its reads cost little. */
export function prepare<Conn extends Duplex>(conn: Conn): Conn {
  leanReads(conn)
  return hearErrors(conn)
}

/**
 * Carries bytes between two streams that have no other user, until both are closed (FLOW-6). The first end of either
 * closes the wire both ways, as obfs4proxy does; with `halfOpen` the two directions end one by one.
 */
export function carry(application: Duplex, wire: Duplex, halfOpen: boolean): Promise<RelayCount> {
  const spliced = splice(application, wire, { halfOpen })
  if (spliced !== undefined) return spliced
  if (!halfOpen) endTogether(wire)
  return relay(application, wire, { wire, halfOpen })
}
