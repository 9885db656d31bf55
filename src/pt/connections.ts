/**
 * The open connections of a PT: counted, bounded, and ended together (STOP-3).
 *
 *     admit ── handshake ── established ── closed          drain: no more are admitted, those left are cut in the end
 *
 * A connection is known by the socket that was accepted: whoever serves it ends the other side when this one closes.
 */
import type { Duplex } from 'node:stream'
import { watchEnds } from '../io/index.ts'

export interface ConnectionLimits {
  /** Connections that have not finished their handshake. Default 4096. */
  readonly maxHandshakes?: number
  /** All connections. Default 65536. */
  readonly maxConnections?: number
}

/** What is said of a connection that was not admitted. */
export const TOO_MANY = 'a connection was refused, as too many are open'

interface Admission {
  /** The handshake is over; the connection counts as one that carries traffic. */
  established(): void
}

interface ConnectionCount {
  readonly open: number
  readonly handshakes: number
  /** Since the start. */
  readonly admitted: number
  readonly established: number
  /** Closed before their handshake was over. */
  readonly failed: number
  readonly refused: number
}

export interface Connections {
  /** Takes the connection in until it closes; undefined, and the connection destroyed, where a limit is reached. */
  admit(conn: Duplex): Admission | undefined
  readonly count: ConnectionCount
  /** Resolves once all have closed; after `ms` milliseconds those that are left are cut. */
  drain(ms: number): Promise<void>
  /** Ends all at once. */
  cut(): void
}

export function createConnections(limits: ConnectionLimits = {}): Connections {
  const { maxHandshakes = 4_096, maxConnections = 65_536 } = limits
  const open = new Set<Duplex>()
  const total = { admitted: 0, established: 0, failed: 0, refused: 0 }
  let handshakes = 0
  let draining = false
  let whenEmpty: (() => void) | undefined

  const admit = (conn: Duplex): Admission | undefined => {
    if (draining || handshakes >= maxHandshakes || open.size >= maxConnections) {
      total.refused++
      conn.destroy()
      return undefined
    }
    let inHandshake = true
    const leaveHandshake = (outcome: 'established' | 'failed'): void => {
      if (!inHandshake) return
      inHandshake = false
      handshakes--
      total[outcome]++
    }
    handshakes++
    total.admitted++
    open.add(conn)
    const onClose = (): void => {
      leaveHandshake('failed')
      open.delete(conn)
      if (open.size === 0) whenEmpty?.()
    }
    watchEnds(conn, { onClose })
    return { established: () => leaveHandshake('established') }
  }
  const cut = (): void => {
    for (const conn of open) conn.destroy()
  }
  const drain = async (ms: number): Promise<void> => {
    draining = true
    if (open.size === 0) return
    const timer = setTimeout(cut, ms)
    await new Promise<void>((resolve) => (whenEmpty = resolve))
    clearTimeout(timer)
  }
  return {
    admit,
    cut,
    drain,
    get count() {
      return { open: open.size, handshakes, ...total }
    },
  }
}
