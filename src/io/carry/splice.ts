/**
 * Relaying without streams: each read lies in memory that connections share, is recoded there by one call, and goes out by one
 * write (lane.ts). At ends and failures it does what relay() does (docs/decisions/0003-relay-endings.md).
 *
 *     with a codec       socket ⇄ Encoding, Decoding ⇄ the socket under a framed stream, which is the wire
 *     without a codec    socket ⇄ Copying, Copying ⇄ socket
 */
import type { Duplex } from 'node:stream'
import type { TcpChannel } from '../tcp/channel.ts'
import { afterOneTurn } from '../tcp/close.ts'
import { channelOf } from '../tcp/node-channel.ts'
import { inLentMemory } from './codec.ts'
import { APPLICATION_TIME, closedEarly, Ending, reasonOf, WIRE_TIME } from './ending.ts'
import { unframe } from './framed.ts'
import type { Lane, LaneListener } from './lane.ts'
import { Copying, Decoding, Encoding } from './lane.ts'
import type { RelayCount, RelayOptions } from './relay.ts'

/**
 * Does what relay() does, for two TCP connections of which one may be framed; a framed one is the wire. Both are given away: from
 * here on they must not be used, but may be watched, except for a framed stream, which tells nothing more. Undefined, and nothing
 * done, if it does not apply: the codec has no direct form, or one of the two is no open TCP connection of this process, or
 * something has been read of the framed stream, or a listener still waits for the bytes of one of the two.
 */
export function splice(a: Duplex, b: Duplex, options: RelayOptions = {}): Promise<RelayCount> | undefined {
  const lanes = lanesOf(a, b, options)
  if (lanes === undefined) return undefined
  return new Promise((resolve, reject) => new Splice(lanes, options, resolve, reject).start())
}

/** Makes the two directions, and knows which connection is the wire, if one is. */
interface Lanes {
  readonly fromA: (listener: LaneListener) => Lane
  readonly fromB: (listener: LaneListener) => Lane
  readonly wire: TcpChannel | undefined
}

function lanesOf(a: Duplex, b: Duplex, { wire }: RelayOptions): Lanes | undefined {
  const [left, right] = [channelOf(a), channelOf(b)]
  if (left === undefined && right === undefined) return undefined
  if (left === undefined) return framedLanes(b, right!, a, false)
  if (right === undefined) return framedLanes(a, left, b, true)
  if (!isFree(left) || !isFree(right)) return undefined
  return {
    fromA: (listener) => new Copying(listener, left, right, a),
    fromB: (listener) => new Copying(listener, right, left, b),
    wire: wire === a ? left : wire === b ? right : undefined,
  }
}

function framedLanes(plain: Duplex, channel: TcpChannel, framed: Duplex, plainIsA: boolean): Lanes | undefined {
  if (!isFree(channel)) return undefined
  const taken = unframe(framed, (conn) => channelOf(conn)?.canGiveReads === true)
  if (taken === undefined) return undefined
  const wire = channelOf(taken.conn)!
  const codec = inLentMemory(taken.codec)
  const encoding = (listener: LaneListener): Lane => new Encoding(listener, channel, wire, plain, codec)
  const decoding = (listener: LaneListener): Lane => new Decoding(listener, wire, channel, framed, codec)
  return plainIsA ? { fromA: encoding, fromB: decoding, wire } : { fromA: decoding, fromB: encoding, wire }
}

/** True if the reads of the connection can be taken, and its stream has no listener that would miss them. */
function isFree({ canGiveReads, duplex }: TcpChannel): boolean {
  return canGiveReads && duplex.listenerCount('data') === 0 && duplex.listenerCount('readable') === 0
}

class Splice implements LaneListener {
  readonly #a: Lane
  readonly #b: Lane
  readonly #wire: TcpChannel | undefined
  readonly #options: RelayOptions
  readonly #ending: Ending

  constructor(
    { fromA, fromB, wire }: Lanes,
    options: RelayOptions,
    resolve: (count: RelayCount) => void,
    reject: (error: Error) => void,
  ) {
    this.#a = fromA(this)
    this.#b = fromB(this)
    this.#wire = wire
    this.#options = options
    this.#ending = new Ending((failure) => {
      options.signal?.removeEventListener('abort', this.#abort)
      this.#closeBoth()
      this.#a.over()
      this.#b.over()
      if (failure === undefined) resolve({ fromA: this.#a.carried, fromB: this.#b.carried })
      else reject(failure)
    })
  }

  start(): void {
    const { signal } = this.#options
    for (const lane of [this.#a, this.#b]) lane.watch()
    if (signal?.aborted) return this.#abort()
    signal?.addEventListener('abort', this.#abort)
    for (const lane of [this.#a, this.#b]) lane.start()
  }

  readonly #abort = (): void => this.#ending.settle(this.#options.signal?.reason as Error)

  readonly #closeBoth = (): void => {
    this.#a.from.duplex.destroy()
    this.#b.from.duplex.destroy()
  }

  ended(lane: Lane): void {
    const { beforeEnd } = this.#options
    if (beforeEnd === undefined) return this.#passEnd(lane)
    beforeEnd(lane.source).then(
      () => this.#passEnd(lane),
      (error: Error) => lane.from.duplex.destroy(error),
    )
  }

  #passEnd(lane: Lane): void {
    if (this.#options.halfOpen !== true) return this.#endBoth(lane)
    lane.passEnd()
    this.#limitSilence(this.#back(lane))
  }

  closed(lane: Lane): void {
    const back = this.#back(lane)
    // This is needed also for the connection that closes last, when all is settled.
    back.release()
    if (!this.#ending.oneClosed()) return
    if (this.#ending.begun) return this.#wire === undefined ? this.#inherit(lane) : undefined
    const failure = failureOf(lane.from.duplex, back.closedTo)
    if (failure === undefined) return
    this.#options.onLost?.(lane.source, failure)
    this.#endBoth(lane, failure)
  }

  /** `first.from` has given its last byte, or has failed. */
  #endBoth(first: Lane, failure?: Error): void {
    const isFirst = this.#ending.begin(failure)
    if (this.#wire !== undefined) return isFirst ? this.#endWire(this.#wire, first) : undefined
    // At the second end, the first one has been passed on already.
    if (!isFirst) return first.passEnd()
    this.#ending.after(APPLICATION_TIME, this.#closeBoth)
    if (failure === undefined) first.passEnd()
    else this.#inherit(first)
  }

  /** `lane.from` is gone. All that was read of it has been written already. */
  #inherit(lane: Lane): void {
    lane.to.duplex.end()
    this.#back(lane).discard()
  }

  /**
   * The first end: the wire is closed as soon as the system has taken what was read of the application, and the application gets
   * what was read of the wire, and the end.
   */
  #endWire(wire: TcpChannel, first: Lane): void {
    const [up, down] = this.#a.to === wire ? [this.#a, this.#b] : [this.#b, this.#a]
    const close = (): void => void wire.duplex.destroy()
    down.stop()
    if (first === down) close()
    else up.onceTaken(() => (down.waits ? close() : afterOneTurn(close)))
    up.from.duplex.end()
    up.discard()
    // The application has its time. A slow wire has more of it.
    this.#ending.after(APPLICATION_TIME, () => {
      this.#ending.after(WIRE_TIME, close)
      up.from.duplex.destroy()
    })
  }

  /** One direction has ended, and `lane` is the other one. */
  #limitSilence(lane: Lane): void {
    let before = lane.taken
    const isBusy = (): boolean => {
      const heard = lane.taken !== before
      before = lane.taken
      return heard || lane.waits
    }
    this.#ending.limitSilence(isBusy, (failure) => {
      if (this.#wire === undefined) this.#ending.settle(failure)
      else this.#endBoth(lane, failure)
    })
  }

  #back(lane: Lane): Lane {
    return lane === this.#a ? this.#b : this.#a
  }
}

/** How a connection has ended too early; undefined if it has not. `closed` is true if it was closed here. */
function failureOf({ errored, readableEnded, writableFinished }: Duplex, closed: boolean): Error | undefined {
  if (errored) return reasonOf(errored)
  return readableEnded && (writableFinished || closed) ? undefined : closedEarly()
}
