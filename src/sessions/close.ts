/** The close() of a transport's client or server, which may throw, reject, or never settle. */
import { messageOf } from '../error.ts'
import { within } from '../io/wait/within.ts'
import type { Report } from '../transport.ts'

/** How long it may take, in milliseconds. A parent that stops its PT waits for some seconds before it kills the process. */
const CLOSE_TIMEOUT = 1_000

interface End {
  close?(): void | Promise<void>
}

/** Calls close(), and resolves when it has settled or after `ms` milliseconds. It never rejects; what goes wrong is a warning. */
export async function closeEnd(end: End, { log }: Pick<Report, 'log'>, ms: number = CLOSE_TIMEOUT): Promise<void> {
  try {
    const closed = Promise.resolve(end.close?.()).then(() => true)
    if ((await within(closed, ms)) !== true) {
      log('warning', `close() has not ended within ${ms / 1_000} s and is not waited for`)
    }
  } catch (error) {
    log('warning', `close() has failed: ${messageOf(error)}`)
  }
}
