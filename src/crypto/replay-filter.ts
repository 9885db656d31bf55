/**
 * What was seen before, for a limited time and in limited memory: a handshake that an observer has recorded must not work
 * a second time.
 */
import { Remembered } from './remembered.ts'

const defaultCapacity = 102_400

export interface ReplayFilterOptions {
  /** Milliseconds for which a value is remembered. */
  readonly ttl: number
  /** A clock in milliseconds that is not set back; if it is set back all the same, everything is forgotten. */
  readonly now: () => number
  /** How many values are remembered; 102,400 unless told. Beyond it the oldest is forgotten. */
  readonly capacity?: number
}

export interface ReplayFilter {
  readonly size: number
  /** Remembers `value`; true if it was remembered already. */
  testAndSet(value: Uint8Array): boolean
}

export function replayFilter({ ttl, now, capacity = defaultCapacity }: ReplayFilterOptions): ReplayFilter {
  // An exact set, so there are no false alarms.
  const seen = new Remembered()
  const compact = (time: number): void => {
    for (let since = seen.oldest; since !== undefined; since = seen.oldest) {
      if (seen.size < capacity) {
        if (time < since) return seen.clear()
        if (time - since < ttl) return
      }
      seen.forgetOldest()
    }
  }
  return {
    get size() {
      return seen.size
    },
    testAndSet(value) {
      const time = now()
      compact(time)
      const key = Buffer.from(value).toString('latin1')
      if (seen.has(key)) return true
      seen.add(key, time)
      return false
    },
  }
}
