/**
 * An answer of HTTP/1.1 as a web server gives it to a stranger. It is data, so that it goes out by our own writing of heads, or by
 * node:http and node:http2.
 */
import type { Field } from '../../http1/fields.ts'
import { formatResponse } from '../../http1/response.ts'

export interface WebAnswer {
  readonly status: number
  readonly reason: string
  /** In the order of the wire, without Connection. */
  readonly fields: readonly Field[]
  /** The name of the field after which Connection stands. */
  readonly connectionAfter: string
  /** The value of Connection for a connection that stays open; undefined if the web server then has no such field. */
  readonly keepAlive: string | undefined
  /** It is empty for HEAD. */
  readonly body: Uint8Array
}

/** What was asked, as far as an answer depends on it. */
export interface Asked {
  readonly method: string
  /** As the request has it: a path with its query, or the form of a proxy. */
  readonly target: string
  readonly fields: readonly Field[]
}

/** What was wrong with bytes that are no request which can be answered by a page. */
export type Fault = 'malformed' | 'line too long' | 'head too long' | 'plain HTTP'

/** The bytes of an answer. `close` says to the client that the connection ends after it. */
export function formatAnswer(answer: WebAnswer, close: boolean): Buffer {
  const { status, reason, fields, body, connectionAfter, keepAlive } = answer
  const value = close ? 'close' : keepAlive
  const all = [...fields]
  const at = all.findIndex(([name]) => name === connectionAfter) + 1
  if (value !== undefined) all.splice(at, 0, ['Connection', value])
  return Buffer.concat([Buffer.from(formatResponse(status, reason, all), 'latin1'), body])
}

/** The path of a request's target without its query; in the form of a proxy without the host too. */
export function pathOf(target: string): string {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  return path === '' ? '/' : path
}
