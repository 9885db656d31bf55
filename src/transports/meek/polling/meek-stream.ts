/**
 * A session as the application sees it: what it writes goes out in bodies of requests, and what the answers hold can be read.
 *
 *     write ──▶ queue ──▶ body of at most 65,536 bytes ──▶ post ──▶ answer ──▶ read
 *                               one after the other, by the clock of rhythm.ts
 *
 * There is no half-close on the wire. An end of the application shows by no more requests, and an end of the server by its answer.
 */
import { Duplex } from 'node:stream'
import { PtError } from '../../../error.ts'
import type { Answer } from './answer.ts'
import { refusalOf } from './refusal.ts'
import { Rhythm } from './rhythm.ts'

/** What servers take in one request. */
const BODY_LIMIT = 65_536
/** How many bytes wait at most to be read, before a writer has to wait too. */
const MOST_HELD = 1_048_576
/** How often a server is asked that has more than the reader takes, in ms: it forgets sessions that do not ask. */
const SLOW = 60_000

/** The requests of a session: poller.ts. */
export interface Requests {
  post(body: Buffer): Promise<Answer>
  close(): void
}

type Done = (error?: Error | null) => void

export class MeekStream extends Duplex {
  readonly #requests: Requests
  readonly #rhythm = new Rhythm()
  /** The bytes that are not in a body yet. */
  #queue: Buffer[] = []
  #queued = 0
  /** The writer that waits until the queue is short again, and the one that waits until all has arrived. */
  #room: Done | undefined
  #arrived: Done | undefined
  #timer: NodeJS.Timeout | undefined
  #isAsking = false
  /** How many bytes of the application are on their way. */
  #sent = 0
  /** The reader has as much as it takes for now. */
  #isFull = false
  /** Nothing is asked any more: the server has ended, or something has failed. */
  #isOver = false
  #failure: Error | undefined

  /** `first` is the answer to the request with which the session began. */
  constructor(requests: Requests, first: Answer) {
    super({ allowHalfOpen: true, readableHighWaterMark: BODY_LIMIT })
    this.#requests = requests
    this.#heard(first)
  }

  override _read(): void {
    if (!this.#isFull) return
    this.#isFull = false
    this.#askSoon()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#isOver) return this.#refuse(done)
    this.#queue.push(chunk)
    this.#queued += chunk.length
    if (this.#queued < BODY_LIMIT) done()
    else this.#room = done
    if (!this.#isFull || this.readableLength < MOST_HELD) this.#askSoon()
  }

  override _final(done: Done): void {
    this.#arrived = done
    this.#tellArrived()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#requests.close()
    this.#release(error ?? new PtError('PT_CLOSED', 'the connection is closed'))
    done(error)
  }

  /** What is written within one turn goes out in one body. */
  #askSoon(): void {
    if (!this.#isAsking) this.#askAfter(0)
  }

  #askAfter(ms: number): void {
    clearTimeout(this.#timer)
    if (this.#isOver || this.destroyed) return
    if (ms > 0) this.#timer = setTimeout(this.#ask, ms)
    else queueMicrotask(this.#ask)
  }

  readonly #ask = (): void => {
    if (this.#isAsking || this.#isOver || this.destroyed) return
    clearTimeout(this.#timer)
    this.#isAsking = true
    const body = this.#nextBody()
    this.#sent = body.length
    this.#requests.post(body).then(
      (answer) => this.#heard(answer),
      (error: unknown) => this.#fail(error as Error),
    )
  }

  #nextBody(): Buffer {
    let length = 0
    const parts: Buffer[] = []
    for (let part = this.#queue.shift(); part !== undefined; part = this.#queue.shift()) {
      const fitting = part.subarray(0, BODY_LIMIT - length)
      parts.push(fitting)
      length += fitting.length
      if (fitting.length < part.length) this.#queue.unshift(part.subarray(fitting.length))
      if (length === BODY_LIMIT) break
    }
    this.#queued -= length
    if (this.#queued < BODY_LIMIT) this.#makeRoom()
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length)
  }

  #heard(answer: Answer): void {
    const moved = this.#sent > 0 || answer.body.length > 0
    this.#isAsking = false
    this.#sent = 0
    if (this.#isOver || this.destroyed) return
    const refusal = refusalOf(answer, false)
    if (refusal !== undefined) return this.#fail(refusal)
    if (answer.isEnd) return this.#end()
    for (const chunk of answer.body) if (!this.push(chunk)) this.#isFull = true
    this.#tellArrived()
    const pause = this.#rhythm.next(moved)
    const mayGrow = this.readableLength < MOST_HELD
    if (!this.#isFull) this.#askAfter(this.#queued > 0 ? 0 : pause)
    else if (mayGrow) this.#askAfter(this.#queued > 0 ? 0 : SLOW)
  }

  /** All that the application wrote has arrived. Without half-closes that ends the session. */
  #tellArrived(): void {
    if (this.#arrived === undefined || (!this.#isOver && this.#queued + this.#sent > 0)) return
    if (this.allowHalfOpen || this.#isOver) this.#release()
    else this.#end()
  }

  /** A write after the end of the session. What came before is read first. */
  #refuse(done: Done): void {
    this.#room = done
    const ended = this.#failure === undefined && !this.readableEnded
    this.#failure ??= new PtError('PT_CLOSED', 'the session has ended')
    if (ended) this.once('end', () => this.destroy(this.#failure))
    else this.#destroyOnceRead()
  }

  /** One of the two applications has ended, and all of its bytes have arrived. */
  #end(): void {
    this.#isOver = true
    this.#requests.close()
    this.push(null)
    this.#release()
  }

  /** destroy() throws away what was pushed and not read yet, so it waits until the reader has caught up. */
  #fail(error: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#failure = error
    this.#requests.close()
    this.#destroyOnceRead()
  }

  #destroyOnceRead(): void {
    // Until its turn is over, a reader may put back the bytes that it took too many of.
    setImmediate(() => {
      if (this.readableLength === 0) this.destroy(this.#failure)
    })
  }

  override read(size?: number): unknown {
    const bytes: unknown = super.read(size)
    if (this.#failure !== undefined && this.readableLength === 0) this.#destroyOnceRead()
    return bytes
  }

  #makeRoom(error?: Error): void {
    const room = this.#room
    this.#room = undefined
    room?.(error)
  }

  #release(error?: Error): void {
    this.#makeRoom(error)
    const arrived = this.#arrived
    this.#arrived = undefined
    arrived?.(error)
  }
}
