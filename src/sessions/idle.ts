/** Ends a stream that carries nothing: a session that is not bound to a connection has no system that notices its peer's end. */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'

type Done = (error?: Error | null) => void

/**
 * Destroys `stream` with PT_TIMEOUT if no byte goes through it for `ms` to 1.25 times `ms` milliseconds. It looks at the two
 * methods that every byte passes, because a listener would change how the stream flows.
 */
export function endWhenIdle(stream: Duplex, ms: number): void {
  let active = true
  let quiet = 0
  const [push, write, writev] = [stream.push.bind(stream), stream._write.bind(stream), stream._writev?.bind(stream)]
  stream.push = (...chunk: Parameters<Duplex['push']>) => {
    active = true
    return push(...chunk)
  }
  stream._write = (chunk: unknown, encoding: BufferEncoding, done: Done) => {
    active = true
    write(chunk, encoding, done)
  }
  // Many streams have no such method, and Node asks whether there is one.
  if (typeof writev === 'function') {
    stream._writev = (chunks, done) => {
      active = true
      writev(chunks, done)
    }
  }
  const look = setInterval(() => {
    quiet = active ? 0 : quiet + ms / 4
    active = false
    if (quiet >= ms) stream.destroy(new PtError('PT_TIMEOUT', `a session carried nothing for ${ms / 1_000} s`))
  }, ms / 4).unref()
  stream.once('close', () => clearInterval(look))
}
