/**
 * What TCP does on a connection that is silent: it asks whether the other end is still there, at the times of Go's programs, so
 * that a dead network is noticed and that an observer sees the same of ours as of obfs4proxy.
 */
import type { Socket } from 'node:net'
import type { TcpHandle } from './tcp-binding.ts'

/** Seconds of silence, seconds between questions, and how many of them stay unanswered. Node before 26 takes the first only. */
const [IDLE, INTERVAL, COUNT] = [15, 15, 9]

/** For net.createServer and net.connect. */
export const keepAliveOptions: Readonly<{ keepAlive: boolean; keepAliveInitialDelay: number }> = {
  keepAlive: true,
  keepAliveInitialDelay: IDLE * 1_000,
}

/** The parameters that Node has since 26; before, it ignores the last two, and asks ten times a second apart. */
type SetKeepAlive = (on: boolean, idle: number, interval: number, count: number) => unknown

/** Of a connected socket. */
export function keepAlive(socket: Socket): void {
  const set = socket.setKeepAlive.bind(socket) as SetKeepAlive
  set(true, IDLE * 1_000, INTERVAL * 1_000, COUNT)
}

/** Of a connected handle. */
export function keepHandleAlive(handle: TcpHandle): void {
  handle.setKeepAlive(true, IDLE, INTERVAL, COUNT)
}
