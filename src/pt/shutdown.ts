/**
 * What tells a PT to stop. Section "Pluggable Transport Shutdown".
 *
 *     stdin closes, where TOR_PT_EXIT_ON_STDIN_CLOSE=1 (ENV-7, ENV-8) ┐
 *     SIGTERM, SIGINT (STOP-3) ───────────────────────────────────────┼── first: stop gracefully ── a signal: at once
 *     the parent has died (STOP-4) ───────────────────────────────────┘
 */
import type { Readable } from 'node:stream'

/** How often the parent is looked for, in ms. */
const PARENT_POLL = 500

type StopReason = 'stdin closed' | 'SIGTERM' | 'SIGINT' | 'parent died'

export interface StopSources {
  readonly parentIsAlive: () => boolean
  readonly onSignal: (listener: (signal: 'SIGTERM' | 'SIGINT') => void) => void
}

export interface StopRequest {
  readonly first: Promise<StopReason>
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
  let hurry!: () => void
  const first = new Promise<StopReason>((resolve) => (reasonGiven = resolve))
  const hurried = new Promise<void>((resolve) => (hurry = resolve))
  // Polled beside stdin too, as another child of the parent may hold the other end of stdin open. The timer also keeps a
  // PT running that launched nothing: it serves nobody, and its parent still decides when it ends.
  const look = (): void => {
    if (!parentIsAlive()) stop('parent died')
  }
  const poll = setInterval(look, PARENT_POLL)
  const stop = (reason: StopReason): void => {
    stopping = true
    clearInterval(poll)
    reasonGiven(reason)
  }
  onSignal((signal) => (stopping ? hurry() : stop(signal)))
  return {
    first,
    hurry: hurried,
    look,
    watchStdin(stdin) {
      const closed = (): void => stop('stdin closed')
      stdin.once('end', closed).once('close', closed).once('error', closed).resume()
    },
  }
}
