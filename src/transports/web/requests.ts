/**
 * The requests on a connection that come before the one which matters: each is answered as a web server does it, and the connection
 * stays open for the next one, as the front may use it for another client.
 *
 *     request ─┬─ wanted ──────────────────── its head; what follows it stays in the connection
 *              ├─ any other ───────────────── an answer of the decoy, and the next request
 *              ├─ with a body, or the last ── an answer, and the end: what follows the head may be anything
 *              └─ no request, or too long ─── an answer, and the end
 *     silence ─── the end, without a byte, as with nginx
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../../error.ts'
import type { Field } from '../../http1/fields.ts'
import { fieldValues, hasItem, listItems } from '../../http1/fields.ts'
import { headEnd } from '../../http1/head.ts'
import type { RequestHead } from '../../http1/request.ts'
import { parseRequest } from '../../http1/request.ts'
import { readMessage } from '../../io/read.ts'
import { DISCARD_LIMIT } from '../../io/tcp/close.ts'
import type { Cancellation } from '../../io/wait/cancellation.ts'
import { orAborted, withDeadline } from '../../io/wait/deadline.ts'
import type { Fault, WebAnswer } from './web-answer.ts'
import { formatAnswer } from './web-answer.ts'
import type { Decoy } from './decoy.ts'

/** The longest head, in bytes. */
export const HEAD_LIMIT: number = 16 * 1024
/** The longest request line: one that takes as long is told so. */
const LINE_LIMIT = 8 * 1024
/** A method has capital letters only; so many bytes are looked at. */
const LONGEST_METHOD = 64
const LF = 0x0a
/** So many requests are answered on one connection. */
export const MOST_REQUESTS: number = 100
/** The times of nginx, in ms: for a head, between two requests, for a write, and for a client to close after the last answer. */
const HEAD_TIME = 60_000
const IDLE_TIME = 75_000
const SEND_TIME = 60_000
const LINGER_TIME = 5_000
/** A body is written in pieces of this size, each when the one before it has gone: a client that does not read costs no more. */
const PIECE = 64 * 1024

export interface Door {
  readonly decoy: Decoy
  readonly wants: (request: RequestHead) => boolean
  readonly signal: Cancellation
}

/**
 * Resolves with the first request that the door wants. Rejects with PT_HANDSHAKE, or as readers do, if none comes; all that was to be
 * said has been said by then.
 */
export async function firstWanted(conn: Duplex, door: Door): Promise<RequestHead> {
  const { decoy, signal } = door
  for (let left = MOST_REQUESTS; ; left--) {
    const request = await nextRequest(conn, left === MOST_REQUESTS ? HEAD_TIME : IDLE_TIME, signal)
    if (typeof request === 'string') return await lastAnswer(conn, decoy.fault(request), signal)
    if (door.wants(request)) return request
    if (!hasOneHost(request)) return await lastAnswer(conn, decoy.fault('malformed'), signal)
    const answer = decoy.answer(request)
    if (left === 1 || !staysOpen(request)) return await lastAnswer(conn, answer, signal)
    await send(conn, answer, false, signal)
  }
}

/** Answers a client that speaks no TLS to a port of TLS, as nginx does. Rejects in any case. */
export async function answerPlain(conn: Duplex, { decoy, signal }: Omit<Door, 'wants'>): Promise<never> {
  await nextRequest(conn, HEAD_TIME, signal)
  return await lastAnswer(conn, decoy.fault('plain HTTP'), signal)
}

async function nextRequest(conn: Duplex, time: number, signal: Cancellation): Promise<RequestHead | Fault> {
  let fault: Fault | undefined
  const end = headEnd(HEAD_LIMIT, () => new PtError('PT_LIMIT', 'a request is too long'))
  const lengthOf = (held: Buffer): number | undefined => {
    fault = faultIn(held)
    if (fault !== undefined) return held.length
    try {
      return end(held)
    } catch {
      fault = 'head too long'
      return held.length
    }
  }
  const head = await withDeadline(time, 'a request', signal, (signal) => readMessage(conn, lengthOf, signal))
  return fault ?? parseRequest(head) ?? 'malformed'
}

/** What is wrong with the beginning of a request, as soon as it can be known. */
function faultIn(held: Buffer): Fault | undefined {
  const start = held
    .subarray(0, LONGEST_METHOD)
    .toString('latin1')
    .replace(/^[\r\n]+/, '')
  if (!/^[A-Z_-]*(?: |$)/.test(start)) return 'malformed'
  const line = held.indexOf(LF)
  return (line === -1 ? held.length : line) > LINE_LIMIT ? 'line too long' : undefined
}

function hasOneHost({ minor, fields }: RequestHead): boolean {
  return minor === 0 || fieldValues(fields, 'Host').length === 1
}

/** True if another request may follow on the connection. */
function staysOpen({ minor, fields }: RequestHead): boolean {
  if (hasBody(fields) || hasItem(fields, 'Connection', 'close')) return false
  return minor === 1 || hasItem(fields, 'Connection', 'keep-alive')
}

/** True if bytes of the request follow its head, or if that cannot be known. */
export function hasBody(fields: readonly Field[]): boolean {
  const lengths = listItems(fields, 'Content-Length')
  return fieldValues(fields, 'Transfer-Encoding').length > 0 || lengths.some((length) => !/^0+$/.test(length))
}

async function send(conn: Duplex, answer: WebAnswer, close: boolean, signal: Cancellation): Promise<void> {
  const bytes = formatAnswer(answer, close)
  await withDeadline(SEND_TIME, 'an answer', signal, async (signal) => {
    for (let at = 0; at < bytes.length; at += PIECE) {
      if (!conn.write(bytes.subarray(at, at + PIECE))) await orAborted(drained(conn), signal)
    }
  })
}

function drained(conn: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      conn.off('drain', over).off('close', over)
      resolve()
    }
    if (!conn.writableNeedDrain) return resolve()
    conn.on('drain', over).on('close', over)
  })
}

/**
 * Sends an answer and ends the connection, but goes on to read for a while: what a client has sent and was not read would turn the end
 * into a reset, and a reset may take the answer with it.
 */
async function lastAnswer(conn: Duplex, answer: WebAnswer, signal: Cancellation): Promise<never> {
  await send(conn, answer, true, signal)
  conn.end()
  await withDeadline(LINGER_TIME, 'the end of a visitor', signal, (signal) => orAborted(ended(conn), signal))
  throw new PtError('PT_HANDSHAKE', 'a visitor was answered, who did not ask for the tunnel')
}

function ended(conn: Duplex): Promise<void> {
  return new Promise((resolve) => {
    let discarded = 0
    const over = (): void => {
      conn.off('data', count).off('end', over).off('close', over)
      resolve()
    }
    const count = (chunk: Buffer): void => {
      discarded += chunk.length
      if (discarded > DISCARD_LIMIT) over()
    }
    if (conn.readableEnded || conn.destroyed) return resolve()
    conn.on('data', count).on('end', over).on('close', over).resume()
  })
}
