/**
 * Carries bytes between two streams, both ways: back-pressure, half-close and failure in one place (FLOW-6).
 *
 *     A ends     B gets the rest of A and its end, and may go on to speak
 *     A fails    B gets what was read of A and its end; what B still says is thrown away, for LINGER at most
 *
 * docs/decisions/0003-relay-endings.md says why a failure is not passed on as a reset.
 */
import type { Duplex } from 'node:stream'
import { finished } from 'node:stream'
import { PtError } from '../error.ts'

/** How many bytes went each way. */
export interface RelayCount {
  readonly fromA: number
  readonly fromB: number
}

/** How long the stream that is left has to take what is on its way to it, and to end, in milliseconds. */
export const LINGER = 5_000

/**
 * Asked before the end of a stream is passed on; a rejection is taken for an error of that stream.
 */
export type BeforeEnd = (ended: Duplex) => Promise<void>

/**
 * Relays until both directions have ended. The end of one direction is passed on and leaves the other open. After an error
 * or an early close (PT_CLOSED) of one stream the other still gets what was read of it, and an end; that error is what the
 * promise rejects with, once both are destroyed. Aborting destroys both at once.
 */
export function relay(a: Duplex, b: Duplex, signal?: AbortSignal, beforeEnd?: BeforeEnd): Promise<RelayCount> {
  return new Promise((resolve, reject) => {
    const count = { fromA: 0, fromB: 0 }
    let open = 2
    let failure: Error | undefined
    let linger: NodeJS.Timeout | undefined
    const settle = (): void => {
      open = 0
      clearTimeout(linger)
      signal?.removeEventListener('abort', abort)
      a.destroy()
      b.destroy()
      if (failure === undefined) resolve(count)
      else reject(failure)
    }
    const abort = (): void => {
      failure ??= signal?.reason as Error
      settle()
    }
    const over = (one: Duplex, other: Duplex, error?: Error | null): void => {
      if (open === 0) return
      if (error != null) failure ??= reasonOf(error)
      if (--open === 0) return settle()
      if (error == null) return
      for (const stop of stops) stop()
      bequeath(one, other)
      linger = setTimeout(settle, LINGER)
    }
    // finished() reports each stream once: both its halves done, its error, or a close before its end.
    finished(a, (error) => over(a, b, error))
    finished(b, (error) => over(b, a, error))
    if (signal?.aborted) return abort()
    signal?.addEventListener('abort', abort)
    const passEnd = (from: Duplex, to: Duplex): void => {
      if (beforeEnd === undefined) to.end()
      else
        beforeEnd(from).then(
          () => to.end(),
          (error: Error) => from.destroy(error),
        )
    }
    const stops = [
      carry(a, b, passEnd, (size) => (count.fromA += size)),
      carry(b, a, passEnd, (size) => (count.fromB += size)),
    ]
  })
}

type PassEnd = (from: Duplex, to: Duplex) => void

/** Passes on bytes and end, until the function that it returns is called. */
function carry(from: Duplex, to: Duplex, passEnd: PassEnd, counted: (size: number) => void): () => void {
  const pass = (chunk: Buffer): void => {
    counted(chunk.length)
    if (!to.write(chunk)) from.pause()
  }
  const end = (): void => passEnd(from, to)
  const resume = (): void => void from.resume()
  // Whoever read before may have read up to the end.
  if (from.readableEnded) end()
  from.on('data', pass).once('end', end)
  to.on('drain', resume)
  from.resume()
  return () => {
    from.off('data', pass).off('end', end)
    to.off('drain', resume)
  }
}

/**
 * Gives `heir` what its buffer still holds of a stream that is gone, and the end. It is read on: a socket that is closed
 * over unread bytes is reset, and a reset takes along what the system has not delivered yet.
 */
function bequeath(gone: Duplex, heir: Duplex): void {
  gone.destroy()
  for (let chunk = gone.read() as Buffer | null; chunk !== null; chunk = gone.read() as Buffer | null) heir.write(chunk)
  heir.end()
  heir.resume()
}

/** What Node calls a stream that was destroyed; the second where a socket was still writing, since Node 22. */
const closings: ReadonlySet<unknown> = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ECANCELED'])

/** Why a stream was lost: its error, or PT_CLOSED where it had none of its own. */
export function reasonOf(error: Error): Error {
  return closings.has((error as NodeJS.ErrnoException).code) ? closedEarly(error) : error
}

export function closedEarly(cause?: Error): PtError {
  return new PtError('PT_CLOSED', 'a connection was closed before its end', { cause })
}
