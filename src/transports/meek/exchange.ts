/** One request and its answer, by HTTP/1.1 or HTTP/2. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { constants } from 'node:http2'
import { PtError } from '../../error.ts'
import type { Field } from '../../http1/fields.ts'
import type { WebAnswer, Asked } from '../web/web-answer.ts'

export class Exchange implements Asked {
  readonly fields: readonly Field[]
  readonly #request: IncomingMessage | Http2ServerRequest
  readonly #response: ServerResponse | Http2ServerResponse
  #gone = false
  #whenGone: (() => void) | undefined
  #whenClosed: (() => void) | undefined

  constructor(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) {
    this.#request = request
    this.#response = response
    this.fields = fieldsOf(request.rawHeaders)
    // Node tells of what breaks by the close, too.
    request.on('error', () => undefined)
    response.on('error', () => undefined).once('close', () => this.#closed())
  }

  get method(): string {
    return this.#request.method ?? ''
  }

  get target(): string {
    return this.#request.url ?? ''
  }

  /** True if the client can get no answer any more. */
  get gone(): boolean {
    return this.#gone
  }

  /** Calls `act` if the client hangs up before it is answered. There is one such act at a time. */
  whenGone(act: () => void): void {
    if (this.#gone) act()
    else this.#whenGone = act
  }

  /** Calls `act` when all is over, answered or not. There is one such act. */
  whenClosed(act: () => void): void {
    this.#whenClosed = act
  }

  /** Ends it without an answer. */
  drop(): void {
    this.#response.destroy()
  }

  #closed(): void {
    this.#gone = true
    this.#whenGone?.()
    this.#whenClosed?.()
  }

  /**
   * The whole body. Undefined if it is longer than `most`, which is not read to its end. Rejects with PT_CLOSED if it breaks off,
   * and with PT_TIMEOUT if it takes longer than `ms` milliseconds.
   */
  body(most: number, ms: number): Promise<Buffer | undefined> {
    const request = this.#request
    if (Number(request.headers['content-length'] ?? 0) > most) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = []
      let length = 0
      const over = (act: () => void): void => {
        clearTimeout(timer)
        request.off('data', take).off('end', end).off('close', cut)
        act()
      }
      const take = (piece: Buffer): void => {
        pieces.push(piece)
        length += piece.length
        if (length > most) over(() => resolve(undefined))
      }
      const end = (): void => over(() => resolve(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, length)))
      const cut = (): void => over(() => reject(new PtError('PT_CLOSED', 'a body broke off')))
      const late = (): void => over(() => reject(new PtError('PT_TIMEOUT', `a body took longer than ${ms / 1_000} s`)))
      const timer = setTimeout(late, ms)
      request.on('data', take).on('end', end).on('close', cut)
      if (this.#gone) cut()
    })
  }

  /** Answers. `close` ends the connection after it. Resolves with true if all of it was passed on, within `ms` milliseconds. */
  answer(answer: WebAnswer, close: boolean, ms: number): Promise<boolean> {
    if (this.#gone) return Promise.resolve(false)
    const response = this.#response
    return new Promise((resolve) => {
      const timer = setTimeout(() => response.destroy(), ms)
      response.once('finish', () => resolve(true))
      response.once('close', () => {
        clearTimeout(timer)
        resolve(false)
      })
      this.#head(answer, close)
      response.end(answer.body)
    })
  }

  /** Says a head, and ends the answer before its body has come. Nothing else tells obfs4proxy and lyrebird at once that all is over. */
  breakOff(head: WebAnswer): void {
    if (this.#gone) return
    this.#head(head, true)
    const response = this.#response
    if ('stream' in response) {
      response.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      return
    }
    response.flushHeaders()
    // A request that has overtaken the one before it has no socket yet.
    if (response.socket === null) this.#request.destroy()
    else response.socket.end()
  }

  #head({ status, reason, fields, connectionAfter, keepAlive }: WebAnswer, close: boolean): void {
    const response = this.#response
    if ('stream' in response) {
      for (const [name, value] of fields) response.setHeader(name, value)
      response.sendDate = false
      response.writeHead(status)
      return
    }
    const all = [...fields]
    const connection = close ? 'close' : keepAlive
    const at = all.findIndex(([name]) => name === connectionAfter) + 1
    if (connection !== undefined) all.splice(at, 0, ['Connection', connection])
    else response.removeHeader('Connection')
    response.sendDate = false
    response.writeHead(status, reason, all.flat())
  }
}

/** The names that begin with a colon are HTTP/2's own. */
function fieldsOf(raw: readonly string[]): Field[] {
  const fields: Field[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at], raw[at + 1]]
    if (!name.startsWith(':')) fields.push([name, value])
  }
  return fields
}
