/**
 * File descriptors limit how many connections a process can have. When none is left, the system refuses to open the next
 * connection, and Node closes those that wait to be accepted. So we count what we hold, and ports.ts stops accepting while
 * some descriptors are left.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import type { Cancellation } from '../io/wait/cancellation.ts'
import { delay, orAborted } from '../io/wait/deadline.ts'
import type { EndWatcher } from '../io/ends.ts'
import { watchEnds } from '../io/ends.ts'
import type { Connect } from '../transport.ts'

/** If no descriptor was free for a connection, it is tried again so many times, with so many ms between. */
const RETRY_DELAY = 250
const RETRIES = 40

/** The first code means that the process has no descriptor left, and the second that the whole system has none. */
const outOfDescriptors: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE'])

export class Descriptors implements EndWatcher {
  /** How many this process may have; Infinity if the system does not tell. */
  readonly limit: number
  /** How many it had at the first look: streams, modules, the engine's own. */
  readonly #others: number
  #outgoing = 0
  /** This is called when an outgoing connection has gone. */
  onFreed: (() => void) | undefined

  constructor(limit: number = descriptorLimit(), others: number = descriptorsInUse()) {
    this.limit = limit
    this.#others = others
  }

  /** How many may be used for connections. The rest is for files, look-ups, and other things that come and go. */
  get forConnections(): number {
    const reserve = Math.min(256, Math.max(8, Math.floor(this.limit / 8)))
    return Math.max(4, this.limit - this.#others - reserve)
  }

  /** How many outgoing connections there are; those that are being made count too. */
  get outgoing(): number {
    return this.#outgoing
  }

  /**
   * The same as `connect`, but it counts. If no descriptor is free it tries again for some seconds, as others become free in the
   * meantime. It throws the error of the last attempt.
   */
  counting(connect: Connect): Connect {
    return async (target, signal) => {
      this.#outgoing++
      try {
        const conn = await retried(connect, target, signal)
        watchEnds(conn, this)
        if (conn.closed) this.onClose()
        return conn
      } catch (error) {
        this.onClose()
        throw error
      }
    }
  }

  /** The same for flows of datagrams, each of which has a descriptor too. */
  countingFlows<Flow extends { readonly closed: Promise<void> }>(
    open: (target: string, signal: Cancellation) => Promise<Flow>,
  ): (target: string, signal: Cancellation) => Promise<Flow> {
    return async (target, signal) => {
      this.#outgoing++
      try {
        const flow = await open(target, signal)
        void flow.closed.then(() => this.onClose())
        return flow
      } catch (error) {
        this.onClose()
        throw error
      }
    }
  }

  /** One of the outgoing connections has closed. */
  onClose(): void {
    this.#outgoing--
    this.onFreed?.()
  }
}

async function retried(connect: Connect, target: string, signal: Cancellation): Promise<Duplex> {
  for (let left = RETRIES; ; left--) {
    try {
      return await connect(target, signal)
    } catch (error) {
      if (left === 0 || !isOutOfDescriptors(error)) throw error
      await orAborted(delay(RETRY_DELAY), signal)
    }
  }
}

/** True if an error, or one that caused it, says that there is no descriptor left. */
function isOutOfDescriptors(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (outOfDescriptors.has((one as NodeJS.ErrnoException).code)) return true
  }
  return false
}

/** The soft limit, which Node has raised to the hard one when it started. */
function descriptorLimit(): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))
    return found === null ? Infinity : Number(found[1])
  } catch {
    return Infinity
  }
}

function descriptorsInUse(): number {
  try {
    // One of them belongs to the folder that is being read.
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    return 0
  }
}
