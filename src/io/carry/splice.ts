/**
 * Relaying without streams between: each read lies in memory that all connections share, is recoded there by one call, and
 * goes out by one write. What it does at ends and failures is what relay() does (docs/decisions/0003-relay-endings.md).
 *
 *     plain ── read ── encode ── write ── conn          what the system does not take at once stops the reading
 *     plain ── write ── decode ── read ── conn
 */
import type { Duplex } from 'node:stream'
import { coalescing } from './coalesce.ts'
import { afterOneTurn, DISCARD_LIMIT, HALF_OPEN_LIMIT, leftIn, silent } from '../tcp/close.ts'
import type { EndWatcher } from '../ends.ts'
import { watchEnds } from '../ends.ts'
import type { DirectCodec, Unframed } from './framed.ts'
import { BURST, unframe } from './framed.ts'
import type { RelayCount } from './relay.ts'
import { closedEarly, DRAIN, LINGER, reasonOf } from './relay.ts'
import type { SharedSocket } from '../tcp/shared-reads.ts'
import { canShareReads, readOn, readOnInTurn, shareReads } from '../tcp/shared-reads.ts'
import { writeNow } from '../tcp/write-now.ts'

export interface SpliceOptions {
  /** As relay()'s. */
  readonly halfOpen?: boolean | undefined
}

/**
 * relay() for a socket and a framed one, the latter being the wire. Both are given away: nobody else may use or watch them from
 * here on. Undefined, and nothing done, if it does not apply: the codec is not direct, either end is no TCP socket of this
 * process, or somebody has read from `b`.
 */
export function splice(a: Duplex, b: Duplex, options: SpliceOptions = {}): Promise<RelayCount> | undefined {
  if (!canShareReads(a)) return undefined
  const taken = unframe(b, canShareReads)
  if (taken === undefined) return undefined
  return new Promise((resolve, reject) => new Splice(a, taken, options, resolve, reject).start())
}

class Splice {
  readonly #up: Lane
  readonly #down: Lane
  readonly #halfOpen: boolean
  readonly #resolve: (count: RelayCount) => void
  readonly #reject: (error: Error) => void
  #open = 2
  /** The first end has come, and it ends both. */
  #ending = false
  #failure: Error | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(
    plain: SharedSocket,
    { conn, codec }: Unframed<SharedSocket>,
    { halfOpen = false }: SpliceOptions,
    resolve: (count: RelayCount) => void,
    reject: (error: Error) => void,
  ) {
    this.#halfOpen = halfOpen
    this.#resolve = resolve
    this.#reject = reject
    this.#up = new Encoding(this, plain, conn, codec)
    this.#down = new Decoding(this, conn, plain, codec)
  }

  start(): void {
    for (const lane of [this.#up, this.#down]) lane.watch()
    for (const lane of [this.#up, this.#down]) lane.start()
  }

  /** A socket has given its last byte. */
  ended(lane: Lane): void {
    if (!this.#halfOpen) return this.#endBoth(lane)
    lane.passEnd()
    this.#limitSilence(lane === this.#up ? this.#down : this.#up)
  }

  /** One of the sockets has closed. */
  closed(lane: Lane): void {
    const back = lane === this.#up ? this.#down : this.#up
    // Also of the one that closes last, when all is settled.
    back.release()
    if (this.#open === 0) return
    if (--this.#open === 0) return this.#settle()
    if (this.#ending) return
    const failure = this.#failureOf(lane.from, back.closedTo)
    if (failure !== undefined) this.#endBoth(lane, failure)
  }

  /** How a socket has ended too early, or undefined; `closed` where it was closed here. */
  #failureOf({ errored, readableEnded, writableFinished }: SharedSocket, closed: boolean): Error | undefined {
    if (errored) return reasonOf(errored)
    return readableEnded && (writableFinished || closed) ? undefined : closedEarly()
  }

  /**
   * The first end: the wire is closed as soon as the system has taken what was read of the application, and the application
   * gets what was read of the wire, and the end.
   */
  #endBoth(first: Lane, failure?: Error): void {
    if (this.#ending) return
    this.#ending = true
    this.#failure = failure
    const [plain, wire] = [this.#up.from, this.#down.from]
    this.#down.stop()
    if (first === this.#down) wire.destroy()
    else this.#up.onceTaken(() => (this.#down.waits ? wire.destroy() : afterOneTurn(() => wire.destroy())))
    plain.end()
    this.#up.discard()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#closeRest, LINGER)
  }

  /** The application has had its time. A slow wire has more of it. */
  readonly #closeRest = (): void => {
    const [plain, wire] = [this.#up.from, this.#down.from]
    this.#timer = setTimeout(() => wire.destroy(), DRAIN)
    plain.destroy()
  }

  /** One direction has ended; `lane` is the other. */
  #limitSilence(lane: Lane): void {
    if (this.#timer !== undefined) return
    let before = lane.taken
    this.#timer = setTimeout(() => {
      // A reader that takes its time is no silence.
      if (lane.taken === before && !lane.waits) return this.#endBoth(lane, silent())
      before = lane.taken
      this.#timer?.refresh()
    }, HALF_OPEN_LIMIT)
  }

  #settle(): void {
    this.#open = 0
    clearTimeout(this.#timer)
    if (this.#failure === undefined) this.#resolve({ fromA: this.#up.taken, fromB: this.#down.given })
    else this.#reject(this.#failure)
  }
}

/**
 * How much is read of one socket until others have their turn, in bytes: two or four reads. libuv goes on for 32, as long as
 * each fills its memory: with 64 such streams a turn of its loop takes half a second, in which no handshake gets on.
 */
const TURN = 250_000

/** One direction. */
abstract class Lane implements EndWatcher {
  readonly from: SharedSocket
  readonly to: SharedSocket
  /** True where the other socket was closed, as both its directions were at their end. */
  closedTo = false
  /** Bytes read, and bytes written. */
  taken = 0
  given = 0
  protected readonly codec: DirectCodec
  readonly #splice: Splice
  #room = 0
  /** Bytes of this turn, as far as they are known: of reads that filled the memory. */
  #inTurn = 0
  /** Gives back the memory of what the system has not taken yet. */
  #held: (() => void)[] = []
  /** Of those, how many the system has taken by now. */
  #taken = 0
  /** Undefined as long as bytes are carried; then how many may be read and thrown away. */
  #discardable: number | undefined
  #whenTaken: (() => void) | undefined

  constructor(splice: Splice, from: SharedSocket, to: SharedSocket, codec: DirectCodec) {
    this.#splice = splice
    this.from = from
    this.to = to
    this.codec = codec
  }

  /** Gives what `chunk` comes to, piece by piece, to write(). */
  protected abstract recode(chunk: Uint8Array): void
  /** Throws where the bytes may not end here. */
  protected abstract end(): void

  watch(): void {
    watchEnds(this.from, this)
  }

  start(): void {
    const { from } = this
    if (from.readableFlowing) from.pause()
    // What a handshake has read too much; then what the system has.
    for (const chunk of leftIn(from)) this.#take(chunk)
    this.#readUpTo(this.room)
    if (from.readableEnded) this.onEnd()
    else if (this.#held.length === 0) readOn(from)
  }

  /** How many bytes one read may take. */
  protected get room(): number {
    return this.codec.input.length
  }

  #readUpTo(room: number): void {
    if (room === this.#room) return
    this.#room = room
    const input = this.codec.input.subarray(0, room)
    shareReads(this.from, input, (length) => this.#take(length === room ? input : input.subarray(0, length)))
  }

  /** The system, or the memory here, still has to take something. */
  get waits(): boolean {
    return this.#held.length > 0
  }

  /** Calls back once the system has taken all that was written; at once if nothing waits. */
  onceTaken(act: () => void): void {
    if (this.waits) this.#whenTaken = act
    else act()
  }

  /** Nothing more is carried, and after this read nothing is read. */
  stop(): void {
    this.#discardable = 0
  }

  /** What is read from now on is thrown away, up to a limit; then nothing more is read. */
  discard(): void {
    this.#discardable = DISCARD_LIMIT
    readOn(this.from)
  }

  protected write(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.given += bytes.length
    if (!writeNow(this.to, bytes, this.#written)) this.#held.push(this.codec.hold?.() ?? nothing)
  }

  /** False while the other side has not taken all. */
  #take(chunk: Uint8Array): boolean {
    if (this.#discardable !== undefined) return (this.#discardable -= chunk.length) > 0
    this.taken += chunk.length
    const filled = chunk.length >= this.#room
    coalescing.count(chunk.length, filled)
    try {
      this.recode(chunk)
      this.#readUpTo(this.room)
    } catch (error) {
      this.#discardable = 0
      this.from.destroy(error as Error)
    }
    return this.#held.length === 0 && this.#mayGoOn(chunk.length, filled)
  }

  /** A read that did not fill the memory is the last of its turn. */
  #mayGoOn(length: number, filled: boolean): boolean {
    this.#inTurn = filled ? this.#inTurn + length : 0
    if (this.#inTurn < TURN) return true
    this.#inTurn = 0
    readOnInTurn(this.from)
    return false
  }

  readonly #written = (): void => {
    if (this.#held.length === 0 || ++this.#taken < this.#held.length) return
    this.release()
    if (this.#discardable === undefined && !this.from.destroyed) readOn(this.from)
  }

  /** The system has taken all, or never will. */
  release(): void {
    for (const release of this.#held) release()
    this.#held = []
    this.#taken = 0
    this.#whenTaken?.()
  }

  onEnd(): void {
    if (this.#discardable !== undefined) return
    try {
      this.end()
    } catch (error) {
      return void this.from.destroy(error as Error)
    }
    this.#splice.ended(this)
  }

  /** A close sends the end as well, and takes one call of the system where an end and the close behind it take three. */
  passEnd(): void {
    const { to } = this
    this.closedTo = to.readableEnded && this.#held.length === 0 && to.writableLength === 0 && !to.destroyed
    if (this.closedTo) to.destroy()
    else to.end()
  }

  onClose(): void {
    this.#splice.closed(this)
  }
}

class Encoding extends Lane {
  #prefaced = false

  protected recode(chunk: Uint8Array): void {
    if (!this.#prefaced && this.codec.preface !== undefined) this.write(this.codec.preface())
    this.#prefaced = true
    for (let at = 0; at < chunk.length; at += BURST) this.write(this.codec.encode(chunk.subarray(at, at + BURST)))
  }

  protected end(): void {}
}

class Decoding extends Lane {
  protected override get room(): number {
    return this.codec.mostDecoded ?? super.room
  }

  protected recode(chunk: Uint8Array): void {
    for (const payload of this.codec.decode(chunk)) this.write(payload)
  }

  protected end(): void {
    this.codec.end?.()
  }
}

function nothing(): void {}
