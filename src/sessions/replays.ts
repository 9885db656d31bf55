/**
 * The table of what a server has seen before: a handshake that an observer has recorded must not work a second time.
 *
 * By default it is in the memory of this process. Another process or a shared store may hold it instead; then the answer is a
 * promise, and whatever goes wrong counts as "it was here before": the server is silent, as it is to every probe.
 */
import { messageOf } from '../error.ts'
import type { ReplayFilter } from '../crypto/replay-filter.ts'
import { replayFilter } from '../crypto/replay-filter.ts'
import { within } from '../io/wait/within.ts'
import type { Replays, Report } from '../transport.ts'
import { seldom } from './seldom.ts'

/** How long an answer may take, in milliseconds: much less than any handshake. */
const ANSWER_TIMEOUT = 5_000
const SAID_EVERY = 60_000

/** A table in memory. `now` gives the milliseconds of a clock that is never set back. */
export function replaysInMemory(now: () => number = () => performance.now()): Replays {
  // A filter forgets in the order of arrival, so there is one for each time to live.
  const filters = new Map<number, ReplayFilter>()
  return {
    testAndSet(id, ttl) {
      let filter = filters.get(ttl)
      if (filter === undefined) filters.set(ttl, (filter = replayFilter({ ttl, now })))
      return filter.testAndSet(id)
    },
  }
}

/** The same as `replays`, but an answer that fails, or does not come within `ms` milliseconds, is true. */
export function failClosed(replays: Replays, { log }: Pick<Report, 'log'>, ms: number = ANSWER_TIMEOUT): Replays {
  const warn = seldom(SAID_EVERY, (why: string) => {
    log('warning', `handshakes are refused, as the table of replays gives no answer: ${why}`)
  })
  const refuse = (why: string): true => {
    warn(why)
    return true
  }
  return {
    testAndSet(id, ttl) {
      try {
        const answer = replays.testAndSet(id, ttl)
        return typeof answer === 'boolean' ? answer : inTime(answer, ms, refuse)
      } catch (error) {
        return refuse(messageOf(error))
      }
    },
  }
}

/** Only false lets a handshake pass. */
async function inTime(answer: Promise<boolean>, ms: number, refuse: (why: string) => true): Promise<boolean> {
  try {
    // A table in JavaScript may answer with anything, so the comparison is exact.
    const known = await within(
      Promise.resolve(answer).then((value: unknown) => value !== false),
      ms,
    )
    return known ?? refuse(`it took longer than ${ms / 1_000} s`)
  } catch (error) {
    return refuse(messageOf(error))
  }
}
