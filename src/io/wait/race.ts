/**
 * Happy eyeballs (RFC 8305, section 5): attempts start one after another, and the first success is taken.
 *
 * net.connect has happy eyeballs too, but gives each address except the last one 250 ms in all, which is too short for a slow
 * path. And it does without them if a local address is asked for.
 */
import { delay } from './deadline.ts'

/** How long an attempt has before the next one is started beside it, in ms: the RFC's "Connection Attempt Delay". */
const ATTEMPT_DELAY = 250

/** This error is made once, because the error that abort() makes by itself holds a stack trace. */
const overReason = new Error('another attempt was faster')

type Attempt<T> = (signal: AbortSignal) => Promise<T>

/**
 * Starts each attempt when the one before has failed or `attemptDelay` (ms) has passed. Resolves with the first success and aborts
 * the others; if one of them succeeds all the same, its result is destroyed. Rejects with the failure of a single attempt, with an
 * AggregateError whose `code` is that of the first failure, or with the signal's reason.
 */
export async function firstOf<T extends { destroy(): unknown }>(
  attempts: readonly Attempt<T>[],
  signal: AbortSignal,
  attemptDelay: number = ATTEMPT_DELAY,
): Promise<T> {
  const [only] = attempts
  if (attempts.length === 1 && only !== undefined) return await only(signal)
  const race = new AbortController()
  const follow = (): void => race.abort(signal.reason)
  if (signal.aborted) follow()
  signal.addEventListener('abort', follow)
  let turn: Promise<unknown> = Promise.resolve()
  const running = attempts.map((attempt) => {
    const run = turn.then(() => compete(attempt, race))
    turn = turn.then(() => Promise.race([run, delay(attemptDelay, race.signal)]).catch(() => undefined))
    return run
  })
  try {
    return await Promise.any(running)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    const { errors } = error as AggregateError
    throw Object.assign(error as AggregateError, { code: (errors[0] as NodeJS.ErrnoException).code })
  } finally {
    signal.removeEventListener('abort', follow)
    race.abort(overReason)
  }
}

/** Runs one attempt. If two succeed in the same turn, the first one aborts the race and so the other. */
async function compete<T extends { destroy(): unknown }>(attempt: Attempt<T>, race: AbortController): Promise<T> {
  race.signal.throwIfAborted()
  const result = await attempt(race.signal)
  if (race.signal.aborted) {
    result.destroy()
    throw race.signal.reason
  }
  race.abort(overReason)
  return result
}
