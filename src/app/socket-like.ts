/**
 * A Duplex with the methods of a net.Socket that HTTP clients call without asking; a built-in transport gives no Socket.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** `conn` itself, with what it lacks. Its time-out counts from the last byte in either direction, as a Socket's does. */
export function socketLike(conn: Duplex): Duplex {
  if (conn instanceof Socket) return conn
  const nothing = (): Duplex => conn
  return Object.assign(conn, {
    setKeepAlive: nothing,
    setNoDelay: nothing,
    ref: nothing,
    unref: nothing,
    setTimeout: idleTimer(conn),
  })
}

function idleTimer(conn: Duplex): (ms: number, callback?: () => void) => Duplex {
  let timer: NodeJS.Timeout | undefined
  const active = (): void => void timer?.refresh()
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
  conn.once('close', () => clearTimeout(timer))
  return (ms, callback) => {
    clearTimeout(timer)
    timer = ms === 0 ? undefined : setTimeout(() => conn.emit('timeout'), ms).unref()
    if (callback !== undefined) {
      if (ms === 0) conn.off('timeout', callback)
      else conn.once('timeout', callback)
    }
    return conn
  }
}
