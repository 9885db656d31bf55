/**
 * Who wants to know how a stream ends. One listener for each event serves all of them for the life of the stream: a connection
 * changes hands five times on its way, and each would add and remove its own.
 */
import type { Duplex } from 'node:stream'

/** What is not wanted is left out. */
export interface EndWatcher {
  /** The stream has given its last byte. */
  onEnd?(): void
  onError?(error: Error): void
  /** The stream is closed, after an error too. */
  onClose?(): void
}

const key: unique symbol = Symbol('postern.watchers')

type Watched = Duplex & { [key]?: readonly EndWatcher[] }

/** From now on `watcher` is told, behind those that came before it; not of what has happened already. */
export function watchEnds(stream: Duplex, watcher: EndWatcher): void {
  const watched: Watched = hearErrors(stream)
  watched[key] = [...watched[key]!, watcher]
}

export function unwatchEnds(stream: Duplex, watcher: EndWatcher): void {
  const watched: Watched = stream
  if (watched[key] !== undefined) watched[key] = watched[key].filter((one) => one !== watcher)
}

/** An error that nobody listens for would end the whole process; whoever reads or writes the stream meets it as its end. */
export function hearErrors<Stream extends Duplex>(stream: Stream): Stream {
  const watched: Watched = stream
  if (watched[key] !== undefined) return stream
  watched[key] = []
  return stream.on('end', ended).on('error', failed).on('close', closed)
}

// Of whoever watches at that moment: a watcher may leave, and others come, while they are told.

function ended(this: Watched): void {
  for (const watcher of this[key]!) watcher.onEnd?.()
}

function failed(this: Watched, error: Error): void {
  for (const watcher of this[key]!) watcher.onError?.(error)
}

function closed(this: Watched): void {
  for (const watcher of this[key]!) watcher.onClose?.()
}
