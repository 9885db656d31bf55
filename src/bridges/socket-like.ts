/**
 * A Duplex with the methods of a net.Socket that clients of databases, mail and HTTP call without asking; a built-in
 * transport gives a stream that is no Socket.
 */
import type { Duplex } from 'node:stream'

/** What clients call at a socket besides what every Duplex has. Each returns the connection. */
export interface SocketMethods {
  /** Emits 'timeout' after so many milliseconds without a byte in either direction; 0 ends this. Nothing is closed. */
  setTimeout(ms: number, callback?: () => void): this
  /** Does nothing: there is no delay to switch off. */
  setNoDelay(on?: boolean): this
  /** Does nothing: the transport has set what a bridge connection needs. */
  setKeepAlive(on?: boolean, initialDelay?: number): this
  /** The connection keeps the process running, which is the default. */
  ref(): this
  /** The connection does not keep the process running. */
  unref(): this
}

/** A connection through a bridge: a Duplex, and what clients take for a socket. */
export type BridgeConnection = Duplex & SocketMethods

interface Countable {
  ref?(): unknown
  unref?(): unknown
}

/** Returns `conn` itself, with the methods that it lacks. `wires` are the connections that it runs over, whose ref() and unref() count. */
export function socketLike(conn: Duplex, wires: readonly object[] = []): BridgeConnection {
  if ('setTimeout' in conn) return conn as BridgeConnection
  const self = conn as BridgeConnection
  const methods = {
    setTimeout: timeoutMethod(self),
    setNoDelay: () => self,
    setKeepAlive: () => self,
    ref: () => each(wires, 'ref', self),
    unref: () => each(wires, 'unref', self),
  }
  return Object.assign(self, methods)
}

function each<T>(wires: readonly Countable[], method: 'ref' | 'unref', result: T): T {
  for (const wire of wires) wire[method]?.()
  return result
}

/** Makes the setTimeout() of a socket, for any stream. It costs nothing until it is called for the first time. */
export function timeoutMethod<T extends Duplex>(conn: T): (ms: number, callback?: () => void) => T {
  let timer: NodeJS.Timeout | undefined
  let watching = false
  return (ms, callback) => {
    clearTimeout(timer)
    timer = undefined
    if (ms > 0 && !conn.destroyed) {
      if (!watching) whenever(conn, () => void timer?.refresh())
      if (!watching) conn.once('close', () => clearTimeout(timer))
      watching = true
      timer = setTimeout(() => conn.emit('timeout'), ms).unref()
    }
    if (callback !== undefined) {
      if (ms === 0) conn.off('timeout', callback)
      else conn.once('timeout', callback)
    }
    return conn
  }
}

/** Calls back for every byte that comes or goes. */
function whenever(conn: Duplex, active: () => void): void {
  const push = conn.push.bind(conn)
  const write = conn.write.bind(conn) as (...args: unknown[]) => boolean
  conn.push = (...args) => {
    active()
    return push(...args)
  }
  conn.write = (...args: unknown[]) => {
    active()
    return write(...args)
  }
}
