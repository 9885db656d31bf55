/** Keeps a standard stream to ourselves: what others write to it goes elsewhere, as text. */
import type { Writable } from 'node:stream'

/**
 * Replaces `write` and `end` of `stream`. Its own file descriptor is not touched; references that others took before count
 * too, as the object stays the same.
 */
export function redirect(stream: Writable, to: (text: string) => void): void {
  const take = (call: readonly unknown[]): void => {
    const [chunk] = call
    if (typeof chunk === 'string') to(chunk)
    else if (chunk instanceof Uint8Array) to(Buffer.from(chunk).toString('utf8'))
    const done = call.find((argument) => typeof argument === 'function')
    if (done !== undefined) setImmediate(done as () => void)
  }
  Object.assign(stream, {
    write(...call: unknown[]) {
      take(call)
      return true
    },
    end(...call: unknown[]) {
      take(call)
      return stream
    },
  })
}
