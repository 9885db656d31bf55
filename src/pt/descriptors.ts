/**
 * File descriptors, which are what bounds the connections of a PT. When a process has none left, the system refuses to open
 * the next connection, and Node closes those that wait to be accepted. So it is counted what we hold, and ports.ts stops
 * accepting while some are left.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import type { Cancellation, EndWatcher } from '../io/index.ts'
import { delay, orAborted, watchEnds } from '../io/index.ts'
import type { Connect } from '../transport.ts'

/** How long a connection that could not be opened for want of a descriptor waits before the next try, and how often, in ms. */
const RETRY_DELAY = 250
const RETRIES = 40

/** Of the process, and of the whole system. */
const outOfDescriptors: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE'])

export class Descriptors implements EndWatcher {
  /** How many this process may have; Infinity where the system does not tell. */
  readonly limit: number
  /** How many it had when it was asked for the first time: streams, modules, the engine's own. */
  readonly #others: number
  #outgoing = 0
  /** Called when an outgoing connection has gone. */
  onFreed: (() => void) | undefined

  constructor(limit: number = descriptorLimit(), others: number = descriptorsInUse()) {
    this.limit = limit
    this.#others = others
  }

  /** How many may be used for connections. The rest is for files, look-ups, and what else comes and goes. */
  get forConnections(): number {
    const reserve = Math.min(256, Math.max(8, Math.floor(this.limit / 8)))
    return Math.max(4, this.limit - this.#others - reserve)
  }

  /** How many outgoing connections there are, those that are being made included. */
  get outgoing(): number {
    return this.#outgoing
  }

  /**
   * `connect`, counted. Where no descriptor is free it tries again for some seconds, as others become free meanwhile; the
   * last attempt's error is the one that is thrown.
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

  /** An outgoing connection has closed. */
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

/** Whether an error, or one that it was caused by, says that there is no descriptor left. */
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
    // One of them is that of the folder itself.
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    return 0
  }
}
