/**
 * How a stream ends, for those that watch it. One listener for each event serves all watchers for the life of the stream: a
 * connection changes hands five times on its way, and each of the five would otherwise add and remove listeners of its own.
 */
import type { Duplex } from 'node:stream'

/** A watcher leaves out what it does not want to know. */
export interface EndWatcher {
  /** The stream has given its last byte. */
  onEnd?(): void
  onError?(error: Error): void
  /** The stream is closed. This is called after an error too. */
  onClose?(): void
}

const key: unique symbol = Symbol('postern.watchers')

type Watched = Duplex & { [key]?: readonly EndWatcher[] }

/** From now on `watcher` is told, after those that came before it. It is not told of what has happened already. */
export function watchEnds(stream: Duplex, watcher: EndWatcher): void {
  const watched: Watched = silenceErrors(stream)
  watched[key] = [...watched[key]!, watcher]
}

/** From now on `watcher` is told nothing more. */
export function unwatchEnds(stream: Duplex, watcher: EndWatcher): void {
  const watched: Watched = stream
  if (watched[key] !== undefined) watched[key] = watched[key].filter((one) => one !== watcher)
}

/**
 * Adds a listener to the errors of `stream`, because an error without a listener would end the whole process. The next read or
 * write of the stream rejects with the error all the same.
 */
export function silenceErrors<Stream extends Duplex>(stream: Stream): Stream {
  const watched: Watched = stream
  if (watched[key] !== undefined) return stream
  watched[key] = []
  return stream.on('end', ended).on('error', failed).on('close', closed)
}

// The watchers of the moment are told: one may leave, and others may come, while they are told.

function ended(this: Watched): void {
  for (const watcher of this[key]!) watcher.onEnd?.()
}

function failed(this: Watched, error: Error): void {
  for (const watcher of this[key]!) watcher.onError?.(error)
}

function closed(this: Watched): void {
  for (const watcher of this[key]!) watcher.onClose?.()
}
