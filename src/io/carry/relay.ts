/**
 * Carries bytes between two streams, both ways: back-pressure, ends and failures are handled here (FLOW-6).
 *
 *     A ends or fails     B gets what was read of A and its end; then both are closed, whatever B still sends
 *     A ends, halfOpen    B gets the rest of A and its end, and may go on to send
 *
 * docs/decisions/0003-relay-endings.md says why, and what the stream that leads over the network shows there.
 */
import type { Duplex } from 'node:stream'
import { finished } from 'node:stream'
import { afterOneTurn, closeAtOnce, closeOnceWritten, discard, leftIn } from '../tcp/close.ts'
import { APPLICATION_TIME, Ending, reasonOf, WIRE_TIME } from './ending.ts'

/** How many bytes went each way. */
export interface RelayCount {
  readonly fromA: number
  readonly fromB: number
}

/** This is asked before the end of a stream is passed on. A rejection is taken for an error of that stream. */
export type BeforeEnd = (ended: Duplex) => Promise<void>

/** The options of relay. */
export interface RelayOptions {
  /** If it aborts, both streams are destroyed at once. */
  readonly signal?: AbortSignal | undefined
  /** This is asked before an end is passed on. */
  readonly beforeEnd?: BeforeEnd | undefined
  /**
   * The one of the two that leads over the network. At the first end it is closed both ways within milliseconds and nothing more
   * is read of it, as obfs4proxy does. If there is none, bytes that come within five seconds after the first end are carried too.
   */
  readonly wire?: Duplex | undefined
  /** The end of one direction leaves the other open. A half-closed connection that is silent for a minute is closed. */
  readonly halfOpen?: boolean | undefined
  /** Called if one of the two has failed or was closed before its end, and before the other one is told. */
  readonly onLost?: ((lost: Duplex, error: Error) => void) | undefined
}

/**
 * Relays until both streams are closed, which the first end leads to. After an error or an early close (PT_CLOSED) of one stream
 * the other one still gets what was read of it, and an end. The promise rejects with that error once both are destroyed. With
 * `halfOpen` it rejects with PT_TIMEOUT if one direction has ended and the other is silent.
 */
export function relay(a: Duplex, b: Duplex, options: RelayOptions = {}): Promise<RelayCount> {
  return new Promise((resolve, reject) => new Relay(a, b, options, resolve, reject).start())
}

class Relay {
  readonly #a: Lane
  readonly #b: Lane
  readonly #options: RelayOptions
  readonly #ending: Ending

  constructor(
    a: Duplex,
    b: Duplex,
    options: RelayOptions,
    resolve: (count: RelayCount) => void,
    reject: (error: Error) => void,
  ) {
    const ended = (lane: Lane): void => this.#ended(lane)
    this.#a = new Lane(a, b, ended)
    this.#b = new Lane(b, a, ended)
    this.#options = options
    this.#ending = new Ending((failure) => {
      options.signal?.removeEventListener('abort', this.#abort)
      a.destroy()
      b.destroy()
      if (failure === undefined) resolve({ fromA: this.#a.size, fromB: this.#b.size })
      else reject(failure)
    })
  }

  start(): void {
    // finished() reports each stream once: when both its halves are done, at its error, or if it closes before its end.
    for (const lane of [this.#a, this.#b]) finished(lane.from, (error) => this.#closed(lane, error))
    const { signal } = this.#options
    if (signal?.aborted) return this.#abort()
    signal?.addEventListener('abort', this.#abort)
    this.#a.start()
    this.#b.start()
  }

  readonly #abort = (): void => this.#ending.settle(this.#options.signal?.reason as Error)

  #ended(lane: Lane): void {
    const { beforeEnd } = this.#options
    if (beforeEnd === undefined) return this.#passEnd(lane)
    beforeEnd(lane.from).then(
      () => this.#passEnd(lane),
      (error: Error) => lane.from.destroy(error),
    )
  }

  #passEnd(lane: Lane): void {
    if (this.#options.halfOpen !== true) return this.#endBoth(lane)
    lane.to.end()
    const { from } = this.#back(lane)
    const limited = this.#ending.limitSilence(
      () => from.isPaused(),
      (failure) => this.#ending.settle(failure),
    )
    if (limited) from.on('data', () => this.#ending.heard())
  }

  /** One of the streams has closed. */
  #closed(lane: Lane, error: Error | null | undefined): void {
    if (!this.#ending.oneClosed()) return
    if (this.#ending.begun) return this.#inherit(lane)
    if (error == null) return
    const reason = reasonOf(error)
    this.#options.onLost?.(lane.from, reason)
    this.#endBoth(lane, reason)
  }

  /** `lane.from` has given its last byte, or has failed. */
  #endBoth(lane: Lane, failure?: Error): void {
    // At the second end, the first one has been passed on already.
    if (!this.#ending.begin(failure)) return void lane.to.end()
    const { wire } = this.#options
    const { from, to } = lane
    this.#ending.after(to === wire ? WIRE_TIME : APPLICATION_TIME, () => this.#ending.settle())
    const full = to.isPaused()
    if (wire !== undefined) this.#back(lane).stop()
    if (from === wire && failure === undefined) closeAtOnce(from)
    if (failure !== undefined) this.#inherit(lane)
    else if (to === wire) closeWire(to, full)
    else {
      to.end()
      if (from === wire) discard(to)
    }
  }

  /** `lane.from` is gone, and all that came of it goes on to `lane.to`. */
  #inherit(lane: Lane): void {
    const { to } = lane
    const full = to.isPaused()
    lane.bequeath()
    this.#back(lane).stop()
    if (to === this.#options.wire) return closeWire(to, full)
    to.end()
    discard(to)
  }

  #back(lane: Lane): Lane {
    return lane === this.#a ? this.#b : this.#a
  }
}

/** Closes the wire after the system has what was read of the application. If it is `full`, nothing is read of it any more. */
function closeWire(wire: Duplex, full: boolean): void {
  if (full) return closeOnceWritten(wire)
  discard(wire)
  afterOneTurn(() => closeOnceWritten(wire))
}

/** One direction. */
class Lane {
  readonly from: Duplex
  readonly to: Duplex
  /** How many bytes were carried so far. */
  size = 0
  readonly #ended: (lane: Lane) => void
  #stopped = false

  constructor(from: Duplex, to: Duplex, ended: (lane: Lane) => void) {
    this.from = from
    this.to = to
    this.#ended = ended
  }

  start(): void {
    const { from, to } = this
    // The other direction may have ended both already.
    if (this.#stopped) return
    // A handshake may have read up to the end.
    if (from.readableEnded) this.#end()
    from.on('data', this.#pass).once('end', this.#end)
    to.on('drain', this.#resume)
    from.resume()
  }

  /** From now on nothing is carried. */
  stop(): void {
    this.#stopped = true
    this.from.off('data', this.#pass).off('end', this.#end).pause()
    this.to.off('drain', this.#resume)
  }

  /** Passes on what the buffer of a stream that is gone still holds. */
  bequeath(): void {
    const { from, to } = this
    this.stop()
    from.destroy()
    for (const chunk of leftIn(from)) to.write(chunk)
  }

  readonly #pass = (chunk: Buffer): void => {
    // A stream without half-close has ended by itself when it came to its end.
    if (!this.to.writable) return
    this.size += chunk.length
    if (!this.to.write(chunk)) this.from.pause()
  }

  readonly #end = (): void => this.#ended(this)
  readonly #resume = (): void => void this.from.resume()
}
