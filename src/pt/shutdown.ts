/**
 * What tells a PT to stop. Section "Pluggable Transport Shutdown".
 *
 *     SIGINT (STOP-3) ─────────────────────────── accept no more; connections may go on for long ─┐
 *     stdin closes, if TOR_PT_EXIT_ON_STDIN_CLOSE=1 (ENV-7, ENV-8) ┐                              │
 *     SIGTERM (STOP-3) ────────────────────────────────────────────┼── connections may finish ────┼── a signal: at once
 *     the parent has died (STOP-4) ────────────────────────────────┘                              │
 *
 * SIGINT is how a parent asks PTs that are built on goptlib to accept no more and to end by themselves after their last
 * connection; SIGTERM is how it asks them to end.
 */
import type { Readable } from 'node:stream'

/** How often the parent is looked for, in ms. */
const PARENT_POLL = 500

export type StopReason = 'stdin closed' | 'SIGTERM' | 'SIGINT' | 'parent died'

export interface StopSources {
  readonly parentIsAlive: () => boolean
  readonly onSignal: (listener: (signal: 'SIGTERM' | 'SIGINT') => void) => void
}

export interface StopRequest {
  readonly first: Promise<StopReason>
  /** The first reason other than SIGINT: connections have little time from here on. */
  readonly firm: Promise<StopReason>
  /** A signal that comes after the first reason to stop: the parent has no more patience. */
  readonly hurry: Promise<void>
  /** Looks for the parent now. */
  look(): void
  /** Obeys the closing of standard input from here on (ENV-8). What arrives there is read and thrown away. */
  watchStdin(stdin: Readable): void
}

export function watchForStop({ parentIsAlive, onSignal }: StopSources): StopRequest {
  let stopping = false
  let reasonGiven!: (reason: StopReason) => void
  let isFirm!: (reason: StopReason) => void
  let hurry!: () => void
  const first = new Promise<StopReason>((resolve) => (reasonGiven = resolve))
  const firm = new Promise<StopReason>((resolve) => (isFirm = resolve))
  const hurried = new Promise<void>((resolve) => (hurry = resolve))
  // Polled beside stdin too, as another child of the parent may hold the other end of stdin open.
  const look = (): void => {
    if (!parentIsAlive()) stop('parent died')
  }
  const poll = setInterval(look, PARENT_POLL)
  const stop = (reason: StopReason): void => {
    stopping = true
    reasonGiven(reason)
    if (reason === 'SIGINT') return
    clearInterval(poll)
    isFirm(reason)
  }
  onSignal((signal) => (stopping ? hurry() : stop(signal)))
  return {
    first,
    firm,
    hurry: hurried,
    look,
    watchStdin(stdin) {
      const closed = (): void => stop('stdin closed')
      stdin.once('end', closed).once('close', closed).once('error', closed).resume()
    },
  }
}
