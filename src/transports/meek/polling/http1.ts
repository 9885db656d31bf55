/**
 * Requests over HTTP/1.1. A head is byte for byte that of obfs4proxy and lyrebird.
 *
 *     POST /path?query HTTP/1.1
 *     Host: server.example
 *     Content-Length: 0
 *     X-Session-Id: 0123456789abcdef0123456789abcdef
 *     Accept-Encoding: gzip
 */
import type { Duplex } from 'node:stream'
import type { EndWatcher } from '../../../io/ends.ts'
import { watchEnds } from '../../../io/ends.ts'
import { formatRequest } from '../../../http1/request.ts'
import type { Route } from '../routes.ts'
import type { Answer } from './answer.ts'
import { answerOf } from './answer.ts'
import { AnswerReader } from './answer-reader.ts'
import type { FrontConnection } from './front-connection.ts'
import { closeStream, cutShort, NotSent } from './front-connection.ts'

/** A server that says how long it keeps a silent connection may close it a little sooner. In ms. */
const EARLY = 1_000

interface Pending {
  readonly reader: AnswerReader
  readonly resolve: (answer: Answer | Promise<Answer>) => void
  readonly reject: (error: unknown) => void
}

export class Http1Connection implements FrontConnection, EndWatcher {
  readonly #stream: Duplex
  readonly #where: Pick<Route, 'authority' | 'path'>
  #pending: Pending | undefined
  #isOver = false
  /** When a silent connection is used no more: on the clock of performance.now(). */
  #until = Infinity

  constructor(stream: Duplex, where: Pick<Route, 'authority' | 'path'>) {
    this.#stream = stream
    this.#where = where
    watchEnds(stream, this)
    stream.on('data', this.#take)
    if (stream.readableEnded || stream.destroyed) this.#isOver = true
  }

  get isUsable(): boolean {
    return !this.#isOver && this.#pending === undefined && performance.now() < this.#until
  }

  post(id: string, body: Buffer): Promise<Answer> {
    if (!this.isUsable) return Promise.reject(new NotSent())
    const { authority, path } = this.#where
    const head = formatRequest('POST', path, [
      ['Host', authority],
      ['Content-Length', String(body.length)],
      ['X-Session-Id', id],
      ['Accept-Encoding', 'gzip'],
    ])
    return new Promise((resolve, reject) => {
      this.#pending = { reader: new AnswerReader(), resolve, reject }
      this.#stream.cork()
      this.#stream.write(head, 'latin1')
      if (body.length > 0) this.#stream.write(body)
      this.#stream.uncork()
    })
  }

  close(): void {
    closeStream(this.#stream, this.#pending === undefined)
    this.#fail(cutShort())
  }

  onEnd(): void {
    const pending = this.#pending
    if (pending?.reader.end() === true) this.#answered(pending)
    this.#break()
    closeStream(this.#stream, true)
  }

  onError(error: Error): void {
    this.#break(error)
  }

  onClose(): void {
    this.#break()
  }

  #break(cause?: Error): void {
    const answer = this.#pending?.reader.broken()
    if (answer !== undefined) this.#pending?.resolve(answer)
    this.#fail(cutShort(cause))
  }

  readonly #take = (chunk: Buffer): void => {
    const pending = this.#pending
    if (this.#isOver) return
    // Bytes that answer nothing make worthless whatever comes after them.
    if (pending === undefined) return this.close()
    try {
      if (pending.reader.take(chunk)) this.#answered(pending)
    } catch (error) {
      this.#fail(error)
      this.#stream.destroy()
    }
  }

  #answered({ reader, resolve }: Pending): void {
    this.#pending = undefined
    const { status, body, encoding, type, staysOpen, idleTime } = reader
    this.#until = idleTime === undefined ? Infinity : performance.now() + idleTime - EARLY
    if (!staysOpen) this.close()
    resolve(answerOf(status, body, encoding, type))
  }

  #fail(error: unknown): void {
    this.#isOver = true
    const pending = this.#pending
    this.#pending = undefined
    pending?.reject(error)
  }
}
