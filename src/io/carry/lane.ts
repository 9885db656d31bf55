/**
 * One direction of a spliced connection. What is read lies in memory that connections share, is recoded there by one call, and goes
 * out by one write. If the system does not take it at once, reading stops until it has.
 *
 *     Encoding   plain ── read ── encode ── write ── wire
 *     Decoding   wire ── read ── decode ── write ── plain
 *     Copying    plain ── read ── write ── plain
 */
import type { Duplex } from 'node:stream'
import type { EndWatcher } from '../ends.ts'
import { watchEnds } from '../ends.ts'
import type { BulkMemory } from '../tcp/bulk-memory.ts'
import { bulkMemory } from '../tcp/bulk-memory.ts'
import type { ReadOwner, TcpChannel } from '../tcp/channel.ts'
import { readOnInTurn } from '../tcp/channel.ts'
import { DISCARD_LIMIT, leftIn } from '../tcp/close.ts'
import { readMemory } from '../tcp/read-memory.ts'
import { coalescing } from './coalesce.ts'
import type { DirectCodec } from './codec.ts'
import { BURST } from './codec.ts'

/** What a lane tells of its connection. */
export interface LaneListener {
  /** The connection that is read has given its last byte. */
  ended(lane: Lane): void
  /** The connection that is read has closed. */
  closed(lane: Lane): void
}

/**
 * How many bytes are read of one connection until others have their turn: two or four reads. libuv goes on for 32 reads, as long
 * as each fills its memory: with 64 such streams a turn of its loop takes half a second, in which no handshake gets on.
 */
const TURN = 250_000

export abstract class Lane implements EndWatcher, ReadOwner {
  readonly from: TcpChannel
  readonly to: TcpChannel
  /** The stream that the caller gave, which the connection is known by to it. */
  readonly source: Duplex
  /** True if the connection that is written was closed because both its directions had ended. */
  closedTo = false
  /** How many bytes were read, and how many were written. */
  taken = 0
  given = 0
  readonly #listener: LaneListener
  /** Undefined before start(). */
  #memory: Uint8Array | undefined
  /** How many bytes of this turn are known: those of reads that filled the memory. */
  #inTurn = 0
  /** Gives back the memory of each write that the system has not taken yet. */
  #held: (() => void)[] = []
  /** How many of those writes the system has taken by now. */
  #takenOfHeld = 0
  /** Undefined as long as bytes are carried. After that, how many more may be read and thrown away. */
  #discardable: number | undefined
  #whenTaken: (() => void) | undefined

  constructor(listener: LaneListener, from: TcpChannel, to: TcpChannel, source: Duplex) {
    this.#listener = listener
    this.from = from
    this.to = to
    this.source = source
  }

  /** Gives the bytes that `chunk` becomes to write(), piece by piece. */
  protected abstract recode(chunk: Uint8Array): void
  /** Throws if the bytes may not end here. */
  protected abstract end(): void
  /** Keeps what was written last as it is, until the function that it returns is called. */
  protected abstract hold(): () => void
  /** recode() has thrown, and the connection that is read is about to be closed. */
  protected refuse(_error: unknown): void {}
  /** True if the bytes that were read said that no more comes. */
  protected get isOver(): boolean {
    return false
  }
  /** The memory for the next read. */
  protected abstract nextMemory(): Uint8Array

  /** How many bytes of an application were carried: those before a codec, or those after it. */
  get carried(): number {
    return this.given
  }

  watch(): void {
    watchEnds(this.from.duplex, this)
  }

  start(): void {
    const { duplex } = this.from
    if (duplex.readableFlowing) duplex.pause()
    this.#readInto(this.nextMemory())
    // First the bytes that a handshake has read beyond its own; then those that the system has.
    for (const chunk of leftIn(duplex)) this.#take(chunk)
    if (duplex.readableEnded) this.onEnd()
    else if (this.#held.length === 0) this.from.readOn()
  }

  #readInto(memory: Uint8Array): void {
    const before = this.#memory
    if (memory === before || (memory.buffer === before?.buffer && memory.length === before.length)) return
    this.#memory = memory
    this.from.giveReadsTo(this, memory)
  }

  /** True if the system still has to take something. */
  get waits(): boolean {
    return this.#held.length > 0
  }

  /** Calls back once the system has taken all that was written; at once if nothing waits. */
  onceTaken(act: () => void): void {
    if (this.waits) this.#whenTaken = act
    else act()
  }

  /** From now on nothing is carried, and after the read that is under way nothing is read. */
  stop(): void {
    this.#discardable = 0
  }

  /** From now on what is read is thrown away, up to a limit. Then nothing more is read. */
  discard(): void {
    this.#discardable = DISCARD_LIMIT
    this.from.readOn()
  }

  protected write(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.given += bytes.length
    if (!this.to.writeNow(bytes, this.#written)) this.#held.push(this.hold())
  }

  arrived(length: number): boolean {
    const memory = this.#memory!
    return this.#take(length === memory.length ? memory : memory.subarray(0, length))
  }

  /** False while the other side has not taken all. */
  #take(chunk: Uint8Array): boolean {
    if (this.#discardable !== undefined) return (this.#discardable -= chunk.length) > 0
    this.taken += chunk.length
    const filled = chunk.length >= this.#memory!.length
    coalescing.count(chunk.length, filled)
    try {
      this.recode(chunk)
      this.#readInto(this.nextMemory())
      if (this.isOver) this.#endEarly()
    } catch (error) {
      this.refuse(error)
      this.#discardable = 0
      this.from.duplex.destroy(error as Error)
    }
    return this.#held.length === 0 && this.#mayGoOn(chunk.length, filled)
  }

  /** A read that did not fill the memory is the last one of its turn. */
  #mayGoOn(length: number, filled: boolean): boolean {
    this.#inTurn = filled ? this.#inTurn + length : 0
    if (this.#inTurn < TURN) return true
    this.#inTurn = 0
    readOnInTurn(this.from)
    return false
  }

  readonly #written = (): void => {
    if (this.#held.length === 0 || ++this.#takenOfHeld < this.#held.length) return
    this.release()
    if (this.#discardable === undefined && !this.from.duplex.destroyed) this.from.readOn()
  }

  /** The system has taken all, or never will. */
  release(): void {
    for (const release of this.#held) release()
    this.#held = []
    this.#takenOfHeld = 0
    this.#whenTaken?.()
  }

  /** Both connections have closed. */
  over(): void {}

  onEnd(): void {
    if (this.#discardable !== undefined) return
    try {
      this.end()
    } catch (error) {
      return void this.from.duplex.destroy(error as Error)
    }
    this.#listener.ended(this)
  }

  /** The peer has said that no more comes. Reading goes on, up to the end of the connection itself. */
  #endEarly(): void {
    this.#discardable = DISCARD_LIMIT
    this.#listener.ended(this)
  }

  /** A close sends the end as well, and takes one call of the system, while an end and a close after it take three. */
  passEnd(): void {
    const { duplex } = this.to
    this.closedTo = duplex.readableEnded && !this.waits && duplex.writableLength === 0 && !duplex.destroyed
    if (this.closedTo) duplex.destroy()
    else duplex.end()
  }

  onClose(): void {
    this.#listener.closed(this)
  }
}

/** A lane through a codec, whose `input` is lent memory. */
abstract class Recoding extends Lane {
  protected readonly codec: DirectCodec

  constructor(listener: LaneListener, from: TcpChannel, to: TcpChannel, source: Duplex, codec: DirectCodec) {
    super(listener, from, to, source)
    this.codec = codec
  }

  protected hold(): () => void {
    return this.codec.hold?.() ?? nothing
  }
}

/** The direction to the wire. */
export class Encoding extends Recoding {
  #prefaced = false

  override get carried(): number {
    return this.taken
  }

  protected nextMemory(): Uint8Array {
    return this.codec.input
  }

  protected recode(chunk: Uint8Array): void {
    if (!this.#prefaced && this.codec.preface !== undefined) this.write(this.codec.preface())
    this.#prefaced = true
    for (let at = 0; at < chunk.length; at += BURST) this.write(this.codec.encode(chunk.subarray(at, at + BURST)))
  }

  protected end(): void {
    if (this.codec.farewell !== undefined) this.write(this.codec.farewell())
  }
}

/** The direction from the wire. */
export class Decoding extends Recoding {
  protected nextMemory(): Uint8Array {
    const { input, mostDecoded } = this.codec
    return mostDecoded === undefined || mostDecoded >= input.length ? input : input.subarray(0, mostDecoded)
  }

  protected recode(chunk: Uint8Array): void {
    for (const payload of this.codec.decode(chunk)) this.write(payload)
  }

  protected override get isOver(): boolean {
    return this.codec.isOver === true
  }

  /** The peer is told why, if there is a way to say it. Nobody waits until it has taken that. */
  protected override refuse(error: unknown): void {
    const bytes = this.codec.farewell?.(error)
    if (bytes !== undefined && bytes.length > 0) this.from.writeNow(bytes, nothing)
  }

  protected end(): void {
    this.codec.end?.()
  }
}

/** From a read of this length on, a connection is given memory of its own. Shorter reads are copied out of the shared memory. */
const BULK = 32_768

/** A direction without a codec. */
export class Copying extends Lane {
  readonly #pieces: BulkMemory
  #own: Uint8Array | undefined
  /** True if a connection was closed while the system still had to take bytes that lie in the memory. */
  #cut = false

  constructor(
    listener: LaneListener,
    from: TcpChannel,
    to: TcpChannel,
    source: Duplex,
    pieces: BulkMemory = bulkMemory,
  ) {
    super(listener, from, to, source)
    this.#pieces = pieces
  }

  protected nextMemory(): Uint8Array {
    return this.#own ?? readMemory()
  }

  protected recode(chunk: Uint8Array): void {
    if (this.#own !== undefined && chunk.buffer === this.#own.buffer) return this.write(chunk)
    this.write(Buffer.from(chunk))
    if (chunk.length >= BULK) this.#own ??= this.#pieces.take()
  }

  protected end(): void {}

  protected hold(): () => void {
    return nothing
  }

  override release(): void {
    this.#cut ||= this.waits && this.to.duplex.destroyed
    super.release()
  }

  override over(): void {
    if (this.#own !== undefined) this.#pieces.giveBack(this.#own, this.#cut || this.waits)
    this.#own = undefined
  }
}

function nothing(): void {}
