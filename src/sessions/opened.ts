/** The connections that one end of a transport has opened, so that all of them can be ended: a transport may forget a socket. */
import type { Duplex } from 'node:stream'
import type { Connect } from '../transport.ts'
import { prepare } from './prepare.ts'

export interface Opened {
  readonly connect: Connect
  /** True once a connection has been made. */
  readonly connected: boolean
  /** Ends all of them, and each that is still being made. */
  destroyAll(): void
}

/** So many connections are kept before those that have closed are looked for. */
const FEW = 8

/** The same as `connect`, but it remembers what it has opened until that has closed. */
export function trackOpened(connect: Connect): Opened {
  let opened: Duplex[] = []
  let connected = false
  let look = FEW
  let over = false
  return {
    async connect(target, signal) {
      const conn = prepare(await connect(target, signal))
      connected = true
      if (over) conn.destroy()
      if (opened.length >= look) {
        // Most transports open one. One that polls opens many, and most of them have closed.
        opened = opened.filter((one) => !one.destroyed)
        look = Math.max(FEW, 2 * opened.length)
      }
      opened.push(conn)
      return conn
    },
    get connected() {
      return connected
    },
    destroyAll() {
      over = true
      for (const conn of opened) conn.destroy()
    },
  }
}
