/**
 * Keep-alives of TCP: on a silent connection the system asks whether the other end is still there. It does so at the times of
 * programs in Go, so that a dead network is noticed and an observer sees the same of our connections as of those of obfs4proxy.
 */
import type { Socket } from 'node:net'
import type { TcpHandle } from './tcp-binding.ts'

/** Seconds of silence, seconds between two questions, and how many may stay unanswered. Node before 26 takes only the first. */
const [IDLE, INTERVAL, COUNT] = [15, 15, 9]

/** The options for net.createServer and net.connect. */
export const keepAliveOptions: Readonly<{ keepAlive: boolean; keepAliveInitialDelay: number }> = {
  keepAlive: true,
  keepAliveInitialDelay: IDLE * 1_000,
}

/** Node has the last two parameters since version 26. Before that it ignores them, and asks ten times, one second apart. */
type SetKeepAlive = (on: boolean, idle: number, interval: number, count: number) => unknown

/** Switches keep-alives on for a connected socket. */
export function keepAlive(socket: Socket): void {
  const set = socket.setKeepAlive.bind(socket) as SetKeepAlive
  set(true, IDLE * 1_000, INTERVAL * 1_000, COUNT)
}

/** Switches keep-alives on for a connected handle. */
export function keepHandleAlive(handle: TcpHandle): void {
  handle.setKeepAlive(true, IDLE, INTERVAL, COUNT)
}
