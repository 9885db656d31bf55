/**
 * Carries bytes between two streams, both ways: back-pressure, ends and failure in one place (FLOW-6).
 *
 *     A ends or fails     B gets what was read of A and its end; then both are closed, whatever B still says
 *     A ends, halfOpen    B gets the rest of A and its end, and may go on to speak
 *
 * docs/decisions/0003-relay-endings.md says why, and what the one that leads over the network shows there.
 */
import type { Duplex } from 'node:stream'
import { finished } from 'node:stream'
import { PtError } from '../../error.ts'
import { afterOneTurn, closeAtOnce, closeOnceWritten, discard, HALF_OPEN_LIMIT, leftIn, silent } from '../tcp/close.ts'

/** How many bytes went each way. */
export interface RelayCount {
  readonly fromA: number
  readonly fromB: number
}

/** How long an application has to take what is on its way to it, and to end, in milliseconds. */
export const LINGER = 5_000
/** How long the system may take to accept what is on its way to the wire, in milliseconds. */
export const DRAIN = 60_000

/**
 * Asked before the end of a stream is passed on; a rejection is taken for an error of that stream.
 */
export type BeforeEnd = (ended: Duplex) => Promise<void>

export interface RelayOptions {
  /** Aborting destroys both streams at once. */
  readonly signal?: AbortSignal | undefined
  readonly beforeEnd?: BeforeEnd | undefined
  /**
   * The one of the two that leads over the network. At the first end it is closed both ways within milliseconds and nothing
   * more is read of it, as obfs4proxy does. Without it, what comes within LINGER after the first end is carried as well.
   */
  readonly wire?: Duplex | undefined
  /** The end of one direction leaves the other open. A half-closed connection that is silent for a minute is closed. */
  readonly halfOpen?: boolean | undefined
}

/**
 * Relays until both streams are closed, which the first end leads to. After an error or an early close (PT_CLOSED) of one
 * stream the other still gets what was read of it, and an end; that error is what the promise rejects with, once both are
 * destroyed. With `halfOpen` PT_TIMEOUT, if one direction has ended and the other is silent.
 */
export function relay(a: Duplex, b: Duplex, options: RelayOptions = {}): Promise<RelayCount> {
  return new Promise((resolve, reject) => new Relay(a, b, options, resolve, reject).start())
}

class Relay {
  readonly #a: Lane
  readonly #b: Lane
  readonly #options: RelayOptions
  readonly #resolve: (count: RelayCount) => void
  readonly #reject: (error: Error) => void
  #open = 2
  /** The first end has come, and it ends both. */
  #ending = false
  #failure: Error | undefined
  #timer: NodeJS.Timeout | undefined

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
    this.#resolve = resolve
    this.#reject = reject
  }

  start(): void {
    // finished() reports each stream once: both its halves done, its error, or a close before its end.
    for (const lane of [this.#a, this.#b]) finished(lane.from, (error) => this.#closed(lane, error))
    const { signal } = this.#options
    if (signal?.aborted) return this.#abort()
    signal?.addEventListener('abort', this.#abort)
    this.#a.start()
    this.#b.start()
  }

  readonly #abort = (): void => {
    this.#failure ??= this.#options.signal?.reason as Error
    this.#settle()
  }

  #ended(lane: Lane): void {
    const { beforeEnd } = this.#options
    if (beforeEnd === undefined) return this.#passEnd(lane)
    beforeEnd(lane.from).then(
      () => this.#passEnd(lane),
      (error: Error) => lane.from.destroy(error),
    )
  }

  #passEnd(lane: Lane): void {
    if (this.#options.halfOpen === true) {
      lane.to.end()
      this.#limitSilence(this.#back(lane))
    } else this.#endBoth(lane)
  }

  /** One of the streams has closed. */
  #closed(lane: Lane, error: Error | null | undefined): void {
    if (this.#open === 0) return
    if (--this.#open === 0) return this.#settle()
    if (this.#ending) this.#inherit(lane)
    else if (error != null) this.#endBoth(lane, reasonOf(error))
  }

  /** `lane.from` has given its last byte, or has failed. */
  #endBoth(lane: Lane, failure?: Error): void {
    // The second end: the first has been passed on already.
    if (this.#ending) return void lane.to.end()
    this.#ending = true
    this.#failure ??= failure
    const { wire } = this.#options
    const { from, to } = lane
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#settle(), to === wire ? DRAIN : LINGER)
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

  /** One direction has ended; `lane` is the other. */
  #limitSilence(lane: Lane): void {
    if (this.#ending || this.#timer !== undefined) return
    const timer = setTimeout(() => {
      // A reader that takes its time is no silence.
      if (lane.from.isPaused()) return void timer.refresh()
      this.#failure ??= silent()
      this.#settle()
    }, HALF_OPEN_LIMIT)
    this.#timer = timer
    lane.from.on('data', () => {
      if (this.#timer === timer) timer.refresh()
    })
  }

  #back(lane: Lane): Lane {
    return lane === this.#a ? this.#b : this.#a
  }

  #settle(): void {
    this.#open = 0
    clearTimeout(this.#timer)
    this.#options.signal?.removeEventListener('abort', this.#abort)
    this.#a.from.destroy()
    this.#b.from.destroy()
    if (this.#failure === undefined) this.#resolve({ fromA: this.#a.size, fromB: this.#b.size })
    else this.#reject(this.#failure)
  }
}

/** Closes the wire after the system has what was read of the application. `full`: its reader waits for room, so it reads no more. */
function closeWire(wire: Duplex, full: boolean): void {
  if (full) return closeOnceWritten(wire)
  discard(wire)
  afterOneTurn(() => closeOnceWritten(wire))
}

/** One direction. */
class Lane {
  readonly from: Duplex
  readonly to: Duplex
  /** Bytes so far. */
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

  /** Carries nothing more. */
  stop(): void {
    this.#stopped = true
    this.from.off('data', this.#pass).off('end', this.#end).pause()
    this.to.off('drain', this.#resume)
  }

  /** Gives what the buffer of a stream that is gone still holds. */
  bequeath(): void {
    const { from, to } = this
    this.stop()
    from.destroy()
    for (const chunk of leftIn(from)) to.write(chunk)
  }

  readonly #pass = (chunk: Buffer): void => {
    // A stream without half-close has ended by itself, as it came to its end.
    if (!this.to.writable) return
    this.size += chunk.length
    if (!this.to.write(chunk)) this.from.pause()
  }

  readonly #end = (): void => this.#ended(this)
  readonly #resume = (): void => void this.from.resume()
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
