/** One connection to a front, which carries requests one after the other. */
import type { Duplex } from 'node:stream'
import { PtError } from '../../../error.ts'
import { closeAtOnce } from '../../../io/tcp/close.ts'
import type { Answer } from './answer.ts'

export interface FrontConnection {
  /** False if the connection has closed, or takes no more requests. */
  readonly isUsable: boolean
  /**
   * Sends one request of the session `id`, and resolves with its answer. Rejects with NotSent, or with a PtError. There may be no other
   * request on its way.
   */
  post(id: string, body: Buffer): Promise<Answer>
  /** Closes the connection, also in the middle of a request. */
  close(): void
}

/** A request of which no byte was written, or of which its front says that nobody has looked at it: it may be sent again. */
export class NotSent extends Error {
  constructor() {
    super('the connection to the front had closed before the request')
  }
}

/** The error of a request whose answer did not come whole. */
export function cutShort(cause?: unknown): PtError {
  return new PtError(
    'PT_CLOSED',
    'the connection to the front broke before an answer was complete; the request may have arrived, so it is not sent again',
    { stage: 'closed', cause },
  )
}

/** Closes a stream whose last request is answered in good order, and any other one at once. */
export function closeStream(stream: Duplex, isAnswered: boolean): void {
  if (isAnswered) closeAtOnce(stream)
  else stream.destroy()
}
