/**
 * Awaiting bytes of a stream. What was not asked for stays in the stream, so whoever reads next misses nothing.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'

/** Reads exactly `length` bytes. Rejects with PT_CLOSED where the stream ends before, or with the signal's reason. */
export function readExactly(conn: Duplex, length: number, signal?: AbortSignal): Promise<Buffer> {
  if (length === 0) return Promise.resolve(Buffer.alloc(0))
  return awaitBytes(conn, signal, () => {
    const bytes = conn.read(length) as Buffer | null
    if (bytes === null || bytes.length === length) return bytes ?? undefined
    conn.unshift(bytes)
    throw new PtError('PT_CLOSED', `the connection was closed before ${length} bytes arrived`)
  })
}

/** Reads what there is, at least one byte. Rejects with PT_CLOSED at the end of the stream. */
export function readSome(conn: Duplex, signal?: AbortSignal): Promise<Buffer> {
  return awaitBytes(conn, signal, () => (conn.read() as Buffer | null) ?? undefined)
}

/**
 * Reads one message whose bytes say how long it is: `lengthOf` is given all that has come so far, and gives the length once it
 * is known, or throws. It has to bound it. Bytes behind the message go back into the stream.
 */
export function readMessage(
  conn: Duplex,
  lengthOf: (held: Buffer) => number | undefined,
  signal?: AbortSignal,
): Promise<Buffer> {
  let held: Buffer | undefined
  return awaitBytes(conn, signal, () => {
    for (let chunk = conn.read() as Buffer | null; chunk !== null; chunk = conn.read() as Buffer | null) {
      held = held === undefined ? chunk : Buffer.concat([held, chunk])
      const length = lengthOf(held)
      if (length === undefined || length > held.length) continue
      // In the same turn as read(): a stream that has reached its end would otherwise have said so, and takes nothing back.
      if (length < held.length) conn.unshift(held.subarray(length))
      return held.subarray(0, length)
    }
    return undefined
  })
}

/**
 * Reads up to and including the first `delimiter`. Rejects with PT_LIMIT once `limit` bytes hold none; bytes behind the
 * delimiter go back into the stream.
 */
export function readUntil(conn: Duplex, delimiter: Uint8Array, limit: number, signal?: AbortSignal): Promise<Buffer> {
  let searched = 0
  const lengthOf = (held: Buffer): number | undefined => {
    const at = held.indexOf(delimiter, searched)
    const end = at + delimiter.length
    if (at !== -1 && end <= limit) return end
    if (at !== -1 || held.length >= limit) {
      throw new PtError('PT_LIMIT', `${limit} bytes arrived without the end of the message`)
    }
    searched = Math.max(0, held.length - delimiter.length + 1)
    return undefined
  }
  return readMessage(conn, lengthOf, signal)
}

async function awaitBytes(
  conn: Duplex,
  signal: AbortSignal | undefined,
  take: () => Buffer | undefined,
): Promise<Buffer> {
  signal?.throwIfAborted()
  // A reset between two reads would end the process if nobody listened; the next read rejects with it.
  if (conn.listenerCount('error') === 0) conn.on('error', ignore)
  // What has come already needs no other listeners.
  const bytes = isOpen(conn) && conn.readableLength > 0 ? take() : undefined
  return bytes ?? (await nextBytes(conn, signal, take))
}

function isOpen(conn: Duplex): boolean {
  return !conn.readableEnded && !conn.destroyed
}

function nextBytes(conn: Duplex, signal: AbortSignal | undefined, take: () => Buffer | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      conn.off('readable', attempt).off('end', short).off('close', short).off('error', fail)
      signal?.removeEventListener('abort', abort)
    }
    const fail = (error: Error): void => {
      stop()
      reject(error)
    }
    const abort = (): void => fail(signal?.reason as Error)
    const short = (): void => fail(conn.errored ?? new PtError('PT_CLOSED', 'the connection was closed by the peer'))
    const attempt = (): void => {
      try {
        const bytes = take()
        if (bytes === undefined) return
        stop()
        resolve(bytes)
      } catch (error) {
        fail(error as Error)
      }
    }
    if (signal?.aborted) return abort()
    if (!isOpen(conn)) return short()
    // removeAllListeners('data') leaves Node's mark that somebody listens, by which the stream would flow, its bytes lost,
    // as soon as our 'readable' is off; off() takes the mark away where nobody does.
    conn.off('data', ignore)
    signal?.addEventListener('abort', abort)
    // One listener for the whole wait: re-adding it per event would spin, as Node re-emits for buffered bytes.
    conn.on('readable', attempt).on('end', short).on('close', short).on('error', fail)
    attempt()
  })
}

function ignore(): void {}
