/**
 * Carries bytes between two streams, both ways: back-pressure, half-close and failure in one place (FLOW-6).
 */
import type { Duplex } from 'node:stream'
import { finished } from 'node:stream'
import { PtError } from '../error.ts'

/** How many bytes went each way. */
export interface RelayCount {
  readonly fromA: number
  readonly fromB: number
}

/**
 * Asked before the end of a stream is passed on; a rejection ends both streams instead, as an error would.
 */
export type BeforeEnd = (ended: Duplex) => Promise<void>

/**
 * Relays until both directions have ended. The end of one direction is passed on and leaves the other open; an error or an
 * early close (PT_CLOSED) of either stream destroys both, and is what the promise rejects with. Aborting does the same.
 */
export function relay(a: Duplex, b: Duplex, signal?: AbortSignal, beforeEnd?: BeforeEnd): Promise<RelayCount> {
  return new Promise((resolve, reject) => {
    const count = { fromA: 0, fromB: 0 }
    let open = 2
    let settled = false
    const settle = (error?: Error | null): void => {
      if (settled) return
      if (error == null && --open > 0) return
      settled = true
      signal?.removeEventListener('abort', abort)
      a.destroy()
      b.destroy()
      if (error == null) resolve(count)
      else reject(reasonOf(error))
    }
    const abort = (): void => settle(signal?.reason as Error)
    // finished() reports each stream once: both its halves done, its error, or a close before its end.
    finished(a, settle)
    finished(b, settle)
    if (signal?.aborted) return abort()
    signal?.addEventListener('abort', abort)
    const passEnd = (from: Duplex, to: Duplex): void => {
      if (beforeEnd === undefined) to.end()
      else beforeEnd(from).then(() => to.end(), settle)
    }
    carry(a, b, passEnd, (size) => (count.fromA += size))
    carry(b, a, passEnd, (size) => (count.fromB += size))
  })
}

type PassEnd = (from: Duplex, to: Duplex) => void

function carry(from: Duplex, to: Duplex, passEnd: PassEnd, counted: (size: number) => void): void {
  // Whoever read before may have read up to the end.
  if (from.readableEnded) passEnd(from, to)
  from
    .on('data', (chunk: Buffer) => {
      counted(chunk.length)
      if (!to.write(chunk)) from.pause()
    })
    .once('end', () => passEnd(from, to))
  to.on('drain', () => from.resume())
  from.resume()
}

function reasonOf(error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') return error
  return new PtError('PT_CLOSED', 'a connection was closed before its end', { cause: error })
}
