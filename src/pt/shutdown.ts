/**
 * What tells a PT to stop. Section "Pluggable Transport Shutdown".
 *
 *     stdin closes, where TOR_PT_EXIT_ON_STDIN_CLOSE=1 (ENV-7, ENV-8) ┐
 *     SIGTERM, SIGINT (STOP-3) ───────────────────────────────────────┼── first: stop gracefully ── a signal: at once
 *     the parent has died (STOP-4) ───────────────────────────────────┘
 */
import type { Readable } from 'node:stream'

/** How often the parent is looked for, in ms. */
const PARENT_POLL = 1_000

export type StopReason = 'stdin closed' | 'SIGTERM' | 'SIGINT' | 'parent died'

export interface StopSources {
  /** Standard input where its closing is to be obeyed; it is read and thrown away. Undefined: it is left alone. */
  readonly stdin: Readable | undefined
  readonly parentIsAlive: () => boolean
  readonly onSignal: (listener: (signal: 'SIGTERM' | 'SIGINT') => void) => void
}

export interface StopRequest {
  readonly first: Promise<StopReason>
  /** A signal that comes after the first reason to stop: the parent has no more patience. */
  readonly hurry: Promise<void>
}

export function watchForStop({ stdin, parentIsAlive, onSignal }: StopSources): StopRequest {
  let stopping = false
  let hurry!: () => void
  const hurried = new Promise<void>((resolve) => (hurry = resolve))
  const first = new Promise<StopReason>((resolve) => {
    // Polled beside stdin too, as a process that the parent started may hold the other end of stdin open. The timer keeps
    // a PT running that launched nothing: it serves nobody, and its parent still decides when it ends.
    const poll = setInterval(() => {
      if (!parentIsAlive()) stop('parent died')
    }, PARENT_POLL)
    const stop = (reason: StopReason): void => {
      stopping = true
      clearInterval(poll)
      resolve(reason)
    }
    const stdinClosed = (): void => stop('stdin closed')
    stdin?.once('end', stdinClosed).once('close', stdinClosed).once('error', stdinClosed).resume()
    onSignal((signal) => (stopping ? hurry() : stop(signal)))
  })
  return { first, hurry: hurried }
}
