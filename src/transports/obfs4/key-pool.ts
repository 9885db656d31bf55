/**
 * Ephemeral key pairs made ahead: every second attempt at one fails, and a handshake that made its own would show by its time
 * how many did.
 *
 *     take    ── from the pool; or, once it is empty, a place in a queue that is served in order
 *     restock ── one more, while a handshake awaits its peer
 *     fill    ── half a millisecond at a time; at leisure while no handshake waits
 */
import { elligatorKey, elligatorSeedLength } from '../../crypto/elligator2.ts'
import type { NtorKeyPair } from '../../crypto/ntor.ts'
import { x25519KeyLength, x25519PrivateKey } from '../../crypto/x25519.ts'

export interface EphemeralPair extends NtorKeyPair {
  /** The public key as it goes over the wire. */
  readonly representative: Uint8Array
}

export interface KeyPool {
  /** How many pairs are ready. */
  readonly ready: number
  /** Starts filling, at leisure. */
  warm(): void
  /** Returns a pair that no other handshake gets. */
  take(): Promise<EphemeralPair>
  /** Makes a pair in the next turn of the event loop, for a side that has sent its message and only waits for the peer's. */
  restock(): void
  /** Takes back a pair of which the peer has seen nothing. */
  giveBack(pair: EphemeralPair): void
}

const poolSize = 32
/** How long the event loop is held at a time, in ms; some five pairs. The first slice also makes the table of multiples. */
const slice = 0.5
/** How long the loop is left alone between two slices while no handshake waits, in ms: handshakes come first. Some 2,000 pairs a second. */
const leisure = 2
/**
 * How long it is left alone at the start and when a pair was taken, in ms: a launch comes first, and so does a handshake,
 * which restocks what it took when it has time for that. If a handshake wants a pair, the loop is not left alone.
 */
const grace = 20

/** One attempt at a pair; undefined for every second one. */
export function attemptPair(seed: Uint8Array): EphemeralPair | undefined {
  const key = elligatorKey(seed)
  if (key === undefined) return undefined
  const { publicKey, representative } = key
  return { publicKey, representative, privateKey: x25519PrivateKey(seed.subarray(0, x25519KeyLength)) }
}

export function makeKeyPool(randomBytes: (length: number) => Uint8Array, size: number = poolSize): KeyPool {
  const pairs: EphemeralPair[] = []
  const waiting: ((pair: EphemeralPair) => void)[] = []
  let timer: NodeJS.Timeout | undefined
  let soon: NodeJS.Immediate | undefined
  /** Pairs to be made at once, besides those that are waited for. */
  let owed = 0

  const isShort = (): boolean => pairs.length < size
  const isPressed = (): boolean => waiting.length > 0 || (owed > 0 && isShort())
  const put = (pair: EphemeralPair): void => {
    const next = waiting.shift()
    if (next !== undefined) next(pair)
    else if (isShort()) pairs.push(pair)
  }
  const fill = (isWanted: () => boolean): void => {
    const end = performance.now() + slice
    while (isWanted() && performance.now() < end) {
      const pair = attemptPair(randomBytes(elligatorSeedLength))
      if (pair === undefined) continue
      put(pair)
      if (owed > 0) owed--
    }
    schedule()
  }
  const schedule = (rest = leisure): void => {
    if (isPressed()) {
      // Between two slices the loop turns once: connections that are being served go on.
      soon ??= setImmediate(() => {
        soon = undefined
        fill(isPressed)
      })
    } else if (isShort()) {
      // A process is not kept alive for keys that no handshake wants.
      timer ??= setTimeout(() => {
        timer = undefined
        fill(isShort)
      }, rest).unref()
    }
  }
  return {
    get ready() {
      return pairs.length
    },
    warm: () => schedule(grace),
    async take() {
      const pair = pairs.pop()
      if (pair !== undefined) {
        schedule(grace)
        return pair
      }
      const promise = new Promise<EphemeralPair>((resolve) => waiting.push(resolve))
      schedule()
      return await promise
    },
    restock() {
      owed = Math.min(owed + 1, size - pairs.length)
      schedule()
    },
    giveBack: put,
  }
}
