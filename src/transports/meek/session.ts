/**
 * A session of the server: what the bodies of its requests carry, as one stream.
 *
 *     body ──▶ inbox ──▶ application          full if the application does not read: then the next body is not read either
 *     answer ◀── outbox ◀── application       full if the client does not ask: then the application has to wait
 *
 * A client has one request under way. If its connection breaks before it has the answer, lyrebird sends the same request once more,
 * so the body and the answer are kept until the answer has been passed on.
 */
import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { PtError } from '../../error.ts'
import { MOST_PAYLOAD } from './server-limits.ts'
import { Bell, Turns } from './waits.ts'

/** So much of what the application has written is taken. While one answer is on its way the next one is filled. */
const OUTBOX = 2 * MOST_PAYLOAD
const nothing = Buffer.alloc(0)

type Done = (error?: Error | null) => void

/** What keeps the sessions in order. */
export interface Keeper {
  /** Bytes have gone through this session. */
  carried(): void
  /** It holds more or fewer bytes than before. */
  changed(): void
}

export class Session extends Duplex {
  readonly turns: Turns = new Turns()
  /** True once the application has been given this stream. */
  isDelivered = false
  /** When the client asked last, as performance.now() has it. */
  lastRequest: number = performance.now()
  readonly #keeper: Keeper
  readonly #bytes = new Bell()
  readonly #room = new Bell()
  /** What the application has written and no answer has taken yet. */
  #outbox: Buffer[] = []
  #length = 0
  /** The callbacks of a write that waits for room, and of the end. */
  #written: Done | undefined
  #finished: Done | undefined
  #full = false
  #left = false
  #said = false
  #heard = false
  /** The request under way. */
  #body: Buffer = nothing
  #answer: Buffer | undefined
  /** The request whose answer did not reach the client, and the answer to the same request when it comes again. */
  #lost: { readonly body: Buffer; readonly answer: Buffer } | undefined
  #again: Buffer | undefined

  constructor(keeper: Keeper) {
    super({ allowHalfOpen: true, readableHighWaterMark: MOST_PAYLOAD, writableHighWaterMark: MOST_PAYLOAD })
    this.#keeper = keeper
  }

  /** True if bytes have gone both ways: a stranger who only makes up ids has no such session. */
  get isProven(): boolean {
    return this.#said && this.#heard
  }

  /** True if the client can get nothing more. */
  get isOver(): boolean {
    return this.destroyed || this.#left || (this.#finished !== undefined && this.#length === 0)
  }

  /** The number of bytes that it holds, but for a write that waits for room. */
  get held(): number {
    const { body, answer } = this.#lost ?? { body: this.#body, answer: this.#answer ?? nothing }
    return this.readableLength + this.#length + body.length + answer.length
  }

  /** Resolves with true once the application has room for one more body, and with false after `ms` milliseconds. */
  async room(ms: number): Promise<boolean> {
    if (this.#full && !this.isOver) await this.#room.wait(ms)
    return !this.#full
  }

  /** Takes the body of a request. It is not passed on if it comes again because its answer was lost. */
  hear(body: Buffer): void {
    const lost = this.#lost
    this.#lost = undefined
    this.#body = body
    if (lost?.body.equals(body) === true) this.#again = lost.answer
    else if (lost !== undefined && lost.answer.length > 0) {
      this.destroy(new PtError('PT_CLOSED', 'an answer of the session was lost on its way'))
    } else if (body.length > 0 && !this.isOver) {
      this.#full = !this.push(body)
      this.#heard = true
      this.#keeper.carried()
    }
    this.#keeper.changed()
  }

  /** Resolves when there are bytes for an answer, when the session is over, or after `ms` milliseconds. */
  async bytes(ms: number): Promise<void> {
    if ((this.#again ?? nothing).length > 0 || this.#length > 0 || this.isOver) return
    // Reads of the same turn of the event loop go into one answer.
    if (await this.#bytes.wait(ms)) await turn()
  }

  /** Ends the waits for bytes and for room. */
  hurry(): void {
    this.#bytes.ring()
    this.#room.ring()
  }

  /** The next answer, which may be empty. Undefined if the session is over. */
  say(): Buffer | undefined {
    const again = this.#again ?? nothing
    this.#again = undefined
    if (again.length > 0) return (this.#answer = again)
    if (this.isOver) return undefined
    return (this.#answer = this.#take())
  }

  /** Whether the answer has been passed on. */
  answered(passedOn: boolean): void {
    if (!passedOn) this.#lost = { body: this.#body, answer: this.#answer ?? this.#again ?? nothing }
    this.#body = nothing
    this.#answer = this.#again = undefined
    this.#end()
    this.#keeper.changed()
  }

  /** The client has gone: the application gets what had come, and the end. An application that does not read loses it. */
  leave(): void {
    if (this.#left) return void this.destroy()
    this.#left = true
    this.push(null)
    this.hurry()
  }

  #take(): Buffer {
    if (this.#length === 0) return nothing
    const all = this.#outbox.length === 1 ? this.#outbox[0]! : Buffer.concat(this.#outbox, this.#length)
    const rest = all.subarray(MOST_PAYLOAD)
    this.#outbox = rest.length > 0 ? [rest] : []
    this.#length = rest.length
    this.#said = true
    this.#keeper.carried()
    if (this.#length < OUTBOX) this.#release()
    return all.subarray(0, MOST_PAYLOAD)
  }

  #release(error?: Error | null): void {
    const written = this.#written
    this.#written = undefined
    written?.(error)
  }

  /** The application has ended, and the client has all of it. */
  #end(): void {
    if (this.#length === 0 && this.#answer === undefined && this.#lost === undefined) this.#finished?.()
  }

  override _read(): void {
    this.#full = false
    this.#room.ring()
    // The reader has not taken its bytes yet.
    queueMicrotask(() => this.#keeper.changed())
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#outbox.push(chunk)
    this.#length += chunk.length
    this.#keeper.changed()
    this.#bytes.ring()
    if (this.#length < OUTBOX) done()
    else this.#written = done
  }

  override _final(done: Done): void {
    this.#finished = done
    this.#bytes.ring()
    this.#end()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#outbox = []
    this.#length = 0
    this.#lost = this.#again = undefined
    this.hurry()
    this.#release(error ?? new PtError('PT_CLOSED', 'the session is over'))
    done(error)
  }
}
