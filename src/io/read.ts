/**
 * Awaiting bytes of a stream. What was not asked for stays in the stream, so whoever reads next misses nothing.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import { closedByPeer, leanReadsOf } from './lean-reads.ts'

/** Reads exactly `length` bytes. Rejects with PT_CLOSED where the stream ends before, or with the signal's reason. */
export function readExactly(conn: Duplex, length: number, signal?: AbortSignal): Promise<Buffer> {
  if (length === 0) return Promise.resolve(Buffer.alloc(0))
  return awaitBytes(conn, signal, {
    fromStream() {
      const bytes = conn.read(length) as Buffer | null
      if (bytes === null || bytes.length === length) return bytes ?? undefined
      conn.unshift(bytes)
      throw new PtError('PT_CLOSED', `the connection was closed before ${length} bytes arrived`)
    },
    lengthOf: () => length,
  })
}

/** Reads what there is, at least one byte. Rejects with PT_CLOSED at the end of the stream. */
export function readSome(conn: Duplex, signal?: AbortSignal): Promise<Buffer> {
  return awaitBytes(conn, signal, {
    fromStream: () => (conn.read() as Buffer | null) ?? undefined,
    lengthOf: (chunk) => chunk.length,
  })
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
  return awaitBytes(conn, signal, {
    fromStream() {
      for (let chunk = conn.read() as Buffer | null; chunk !== null; chunk = conn.read() as Buffer | null) {
        held = held === undefined ? chunk : Buffer.concat([held, chunk])
        const length = lengthOf(held)
        if (length === undefined || length > held.length) continue
        // In the same turn as read(): a stream that has reached its end would otherwise have said so, and takes nothing back.
        if (length < held.length) conn.unshift(held.subarray(length))
        return held.subarray(0, length)
      }
      return undefined
    },
    lengthOf: (chunk) => (held === undefined ? lengthOf(chunk) : undefined),
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

/** What a wait is for, as it is taken from where bytes may be. */
interface Wanted {
  /** Takes it from the stream, or leaves it there; undefined while it has not come. Throws where it never will. */
  fromStream(): Buffer | undefined
  /** How much of a first chunk it is; more than there is, or undefined, where that is not enough. */
  lengthOf(chunk: Buffer): number | undefined
}

async function awaitBytes(conn: Duplex, signal: AbortSignal | undefined, wanted: Wanted): Promise<Buffer> {
  signal?.throwIfAborted()
  // A reset between two reads would end the process if nobody listened; the next read rejects with it.
  if (conn.listenerCount('error') === 0) conn.on('error', ignore)
  // What has come already needs no other listeners.
  const bytes = isOpen(conn) && conn.readableLength > 0 ? wanted.fromStream() : undefined
  return bytes ?? (await nextBytes(conn, signal, wanted))
}

function isOpen(conn: Duplex): boolean {
  return !conn.readableEnded && !conn.destroyed
}

function nextBytes(conn: Duplex, signal: AbortSignal | undefined, wanted: Wanted): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    if (!isOpen(conn)) return reject(conn.errored ?? closedByPeer())
    let stop: () => void
    const settle = (act: () => void): void => {
      stop()
      signal?.removeEventListener('abort', abort)
      act()
    }
    const fail = (error: Error): void => settle(() => reject(error))
    const abort = (): void => fail(signal?.reason as Error)
    const look = (): void => {
      try {
        const bytes = wanted.fromStream()
        if (bytes !== undefined) settle(() => resolve(bytes))
      } catch (error) {
        fail(error as Error)
      }
    }
    const chunk = (chunk: Buffer): boolean => {
      try {
        const length = wanted.lengthOf(chunk)
        if (length === undefined || length > chunk.length) return false
        settle(() => resolve(length === chunk.length ? chunk : chunk.subarray(0, length)))
        if (length < chunk.length) conn.push(chunk.subarray(length))
      } catch (error) {
        fail(error as Error)
      }
      return true
    }
    const listen = (): void => {
      stop()
      stop = listenTo(conn, look, fail)
      look()
    }
    const lean = leanReadsOf(conn)
    stop = () => lean?.stop()
    signal?.addEventListener('abort', abort)
    if (lean?.wait({ chunk, listen, fail }) !== true) listen()
  })
}

/** Waits by the events of a stream. Returns what ends that. */
function listenTo(conn: Duplex, look: () => void, fail: (error: Error) => void): () => void {
  const short = (): void => fail(conn.errored ?? closedByPeer())
  // removeAllListeners('data') leaves Node's mark that somebody listens, by which the stream would flow, its bytes lost,
  // as soon as our 'readable' is off; off() takes the mark away where nobody does.
  conn.off('data', ignore)
  // One listener for the whole wait: re-adding it per event would spin, as Node re-emits for buffered bytes.
  conn.on('readable', look).on('end', short).on('close', short).on('error', fail)
  return () => void conn.off('readable', look).off('end', short).off('close', short).off('error', fail)
}

function ignore(): void {}
