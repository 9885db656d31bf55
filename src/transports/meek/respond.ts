/**
 * What each request is answered.
 *
 *     POST, the path of the url, an X-Session-Id ── a session: the body goes in, and what there is comes out
 *                                                ├─ an ended one: a head, and the end of the connection
 *                                                └─ two requests before it: 503, and nothing of the body has been used
 *     an X-Session-Id that can be none          ── 400
 *     everything else                           ── the decoy
 */
import { timingSafeEqual } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Field } from '../../http1/fields.ts'
import { fieldValues, lastValue } from '../../http1/fields.ts'
import type { ServerOptions } from '../../transport.ts'
import type { WebAnswer } from '../web/web-answer.ts'
import { pathOf } from '../web/web-answer.ts'
import type { Decoy } from '../web/decoy.ts'
import type { Trust } from '../web/forwarded-for.ts'
import { clientAddress } from '../web/forwarded-for.ts'
import type { Exchange } from './exchange.ts'
import type { ServerLimits } from './server-limits.ts'
import { MOST_PAYLOAD } from './server-limits.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

/** meek-client's ids have 11 characters, those of meek_lite 32. */
const sessionId = /^[\x21-\x7e]{8,64}$/

export interface Responder {
  readonly limits: ServerLimits
  readonly decoy: Decoy
  readonly sessions: Sessions
  readonly trust: Trust
  /** The paths that belong to sessions. If there are none, all do. */
  readonly paths: readonly string[]
  readonly deliver: ServerOptions['deliver']
}

/** Answers one request that came by `conn`. Rejects if there is nothing to answer any more. */
export async function respond(exchange: Exchange, conn: Duplex, responder: Responder): Promise<void> {
  const { limits, decoy, sessions, paths } = responder
  const answer = async (answer: WebAnswer): Promise<void> =>
    void (await exchange.answer(answer, false, limits.transfer))
  const ids = fieldValues(exchange.fields, 'X-Session-Id')
  const isOurs = exchange.method === 'POST' && ids.length > 0 && isPath(pathOf(exchange.target), paths)
  if (!isOurs) return await answer(decoy.answer(exchange))
  const [id = ''] = ids
  if (ids.length > 1 || !sessionId.test(id)) return await answer(decoy.fault('malformed'))
  const session = sessions.of(id)
  if (session === undefined) return await end(exchange, limits)
  if (!(await session.turns.take(limits.mostWaiting, limits.patience))) return await answer(busy)
  try {
    if (exchange.gone) return
    exchange.whenGone(() => session.hurry())
    if (await session.room(limits.patience)) await carry(exchange, conn, session, responder)
    else await answer(busy)
  } finally {
    session.turns.pass()
  }
}

/** Takes the body of a request whose turn it is, and answers it. */
async function carry(exchange: Exchange, conn: Duplex, session: Session, responder: Responder): Promise<void> {
  const { limits, deliver, trust } = responder
  const body = await exchange.body(MOST_PAYLOAD, limits.transfer)
  if (body === undefined) return void (await exchange.answer(tooLarge, true, limits.transfer))
  // Its client sends it once more, if it is lyrebird.
  if (exchange.gone) return
  session.hear(body)
  if (body.length > 0 && lastValue(exchange.fields, 'X-Forwarded-For') !== undefined) await pause(limits.frontPause)
  // The first answer tells the client that there is a server.
  if (session.isDelivered) await session.bytes(holdOf(body.length, limits))
  else {
    session.isDelivered = true
    deliver(session, { userAddr: clientAddress(conn, forwarded(exchange.fields), trust) })
  }
  const bytes = exchange.gone ? undefined : session.say()
  if (bytes !== undefined) session.answered(await exchange.answer(payload(bytes), false, limits.transfer))
  else if (exchange.gone) session.answered(false)
  else exchange.breakOff(theEnd)
}

/** A client asks again at once after a request with bytes, and that one may wait. One that is full has more to say. */
function holdOf(length: number, { hold, holdBody }: ServerLimits): number {
  if (length === 0) return hold
  return length < MOST_PAYLOAD ? holdBody : 0
}

/** The body is read first, as unread bytes would turn the end of the connection into a reset. */
async function end(exchange: Exchange, { transfer }: ServerLimits): Promise<void> {
  await exchange.body(MOST_PAYLOAD, transfer)
  exchange.breakOff(theEnd)
}

function isPath(path: string, paths: readonly string[]): boolean {
  const asked = Buffer.from(path)
  return paths.length === 0 || paths.map((one) => Buffer.from(one)).some((one) => areEqual(one, asked))
}

/** A path is a secret. Its length is none. */
function areEqual(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

/** Meek-IP counts only without X-Forwarded-For: a front that adds to the one may pass the other on as its client has written it. */
function forwarded(fields: readonly Field[]): readonly Field[] {
  const meekIp = lastValue(fields, 'Meek-IP')
  if (meekIp === undefined || lastValue(fields, 'X-Forwarded-For') !== undefined) return fields
  return [['X-Forwarded-For', meekIp]]
}

function payload(body: Uint8Array): WebAnswer {
  return {
    status: 200,
    reason: 'OK',
    fields: [
      ['Date', new Date().toUTCString()],
      ['Content-Type', 'application/octet-stream'],
      ['Content-Length', String(body.length)],
    ],
    connectionAfter: 'Content-Length',
    keepAlive: 'keep-alive',
    body,
  }
}

function empty(status: number, reason: string): WebAnswer {
  return {
    status,
    reason,
    fields: [['Content-Length', '0']],
    connectionAfter: 'Content-Length',
    keepAlive: 'keep-alive',
    body: new Uint8Array(),
  }
}

const busy = empty(503, 'Service Unavailable')
const tooLarge = empty(413, 'Payload Too Large')

/** It promises one byte more than any answer has, and none follows: a session that has ended looks like that, and nothing else does. */
const theEnd: WebAnswer = {
  ...empty(200, 'OK'),
  fields: [
    ['Content-Type', 'application/octet-stream'],
    ['Content-Length', String(MOST_PAYLOAD + 1)],
  ],
}
