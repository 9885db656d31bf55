/**
 * The client: it dials the front, asks for the path as a browser asks for a WebSocket, and after the 101 the stream is the bridge's.
 *
 *     for each name, until one works       TCP ── TLS ── GET … ── 101 ── the application's bytes
 *     (docs/decisions/0075-names-and-hellos-within-a-dial.md)
 */
import { randomBytes, randomInt } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../../error.ts'
import { furthestStage, stageOf } from '../../failure.ts'
import { FinalResponse } from '../../http1/response.ts'
import { silenceErrors } from '../../io/ends.ts'
import { readMessage } from '../../io/read.ts'
import type { Cancellation } from '../../io/wait/cancellation.ts'
import type { Deadline } from '../../io/wait/deadline.ts'
import { closeAfter, deadline } from '../../io/wait/deadline.ts'
import type { Profile } from '../../tls/profiles/profile.ts'
import type { Client, ClientOptions, ClientSession } from '../../transport.ts'
import { cancellationOf } from '../handshake.ts'
import { dialFront } from '../web/dial-front.ts'
import type { FrontSession } from '../web/dial-front.ts'
import { onlyHello } from '../web/utls.ts'
import type { Visit } from '../web/visits.ts'
import { Visits } from '../web/visits.ts'
import { answerFault, HEAD_LIMIT, requireUpgrade } from './answer.ts'
import type { ClientArguments, FrontName } from './arguments.ts'
import { parseClientArguments } from './arguments.ts'
import { upgradeRequest } from './request.ts'
import { keyLength } from './websocket.ts'

/** How long a dial may take, with all its names, in ms. openBridge() gives a minute, and a PT longer. */
const DIAL_TIME = 50_000
/** How many names of a list one dial tries. The next dial goes on with the list. */
const MAX_NAMES = 3
/** How long the front may take, in ms. */
interface Times {
  /** For its handshake. */
  readonly tls: number
  /** For its answer. */
  readonly answer: number
}

const usualTimes: Times = { tls: 12_000, answer: 15_000 }

/** What a client is made with. */
interface Making extends Pick<ClientOptions, 'log'> {
  /** The user's own, which is shown in place of what a bridge line asks for. */
  readonly profile?: Profile | undefined
}

export function webtunnelClient({ log, profile }: Making, times: Times = usualTimes): Client {
  const visits = new Visits()
  const said = new Set<string>()
  return {
    async dial(session) {
      const asked = parseClientArguments(session.args)
      const bridge = profile === undefined ? asked : { ...asked, profile: onlyHello(profile) }
      const { notice } = bridge.profile
      if (notice !== undefined && !said.has(notice)) {
        said.add(notice)
        log('notice', notice)
      }
      return await dialNames(session, bridge, visits.of(keyOf(bridge)), times)
    },
  }
}

/** A ticket tells a front who comes back, so bridges of one front share none. */
function keyOf({ target, url, pin }: ClientArguments): string {
  return JSON.stringify([target, url.host, url.path, pin?.toString('hex')])
}

/** Tries the names one after the other: first the one that worked last, or any. */
async function dialNames(session: ClientSession, bridge: ClientArguments, visit: Visit, times: Times): Promise<Duplex> {
  const { names } = bridge
  const start = (visit.place ?? randomInt(names.length)) % names.length
  const turns = Math.min(names.length, MAX_NAMES)
  const end = performance.now() + DIAL_TIME
  const errors: unknown[] = []
  for (let turn = 0; turn < turns; turn++) {
    const place = (start + turn) % names.length
    const time = Math.max(1, Math.ceil((end - performance.now()) / (turns - turn)))
    using limit = deadline(time, 'the connection to the web server', cancellationOf(session))
    const way = watched(session.connect, limit)
    try {
      // A third of the time for each of two hellos and the answer.
      const own = { tls: Math.min(times.tls, Math.ceil(time / 3)), answer: times.answer }
      const stream = await dialName(way, bridge, { name: names[place]!, visit, times: own, mayTrySecond: turn === 0 })
      visit.place = place
      return stream
    } catch (error) {
      cancellationOf(session).throwIfAborted()
      errors.push(error)
      visit.place = (place + 1) % names.length
      // All names are dialled at one address.
      if (!way.hasConnected) break
    }
  }
  throw furthestOf(errors)
}

/** What a name is dialled through: it knows whether a connection came about. */
interface Way extends FrontSession {
  readonly hasConnected: boolean
}

function watched(connect: FrontSession['connect'], { signal, cancellation }: Deadline): Way {
  let hasConnected = false
  return {
    signal,
    cancellation,
    get hasConnected() {
      return hasConnected
    },
    async connect(target, cancellation) {
      const conn = await connect(target, cancellation)
      hasConnected = true
      return conn
    },
  }
}

interface Turn {
  readonly name: FrontName
  readonly visit: Visit
  readonly times: Times
  readonly mayTrySecond: boolean
}

async function dialName(way: Way, bridge: ClientArguments, turn: Turn): Promise<Duplex> {
  const { url, target, pin, profile } = bridge
  const { name, visit, times, mayTrySecond } = turn
  const front = await dialFront({
    session: way,
    target,
    tls: url.isSecure
      ? {
          servername: name.servername,
          // A pin is all that counts, as with lyrebird.
          ...(pin === undefined ? { verifyNames: name.verifyNames } : { pin }),
          form: 'websocket',
          profile,
          visit,
          mayTrySecond,
          mayEndAbruptly: true,
          timeout: times.tls,
        }
      : undefined,
  })
  const { stream, browser = profile.first.browser } = front
  try {
    const key = randomBytes(keyLength).toString('base64')
    stream.write(upgradeRequest(url, browser, key))
    await readAnswer(stream, key, times.answer, way.cancellation ?? way.signal)
    return stream
  } catch (error) {
    stream.destroy()
    throw error
  }
}

/** Reads the head of the answer. Bytes after it stay in the stream. */
async function readAnswer(stream: Duplex, key: string, time: number, signal: Cancellation): Promise<void> {
  // Between two reads there is no other listener.
  silenceErrors(stream)
  const limit = closeAfter(stream, time, 'the answer of the web server')
  const response = new FinalResponse(HEAD_LIMIT, answerFault)
  try {
    await readMessage(stream, response.lengthOf, signal)
  } catch (error) {
    throw diagnose(error, error === stream.errored)
  } finally {
    limit.clear()
  }
  requireUpgrade(response.head, key)
}

function diagnose(error: unknown, broken: boolean): unknown {
  if (isPtError(error, 'PT_TIMEOUT')) {
    const late = 'the web server did not answer the request in time: it, or the bridge, does not work'
    return new PtError('PT_HANDSHAKE', late, { stage: 'timeout', cause: error })
  }
  if (!broken && !isPtError(error, 'PT_CLOSED')) return error
  const closed = 'the web server closed the connection instead of answering the request'
  return new PtError('PT_HANDSHAKE', closed, { stage: 'closed', cause: error })
}

/** Of several errors the one that came furthest says most about what is wrong. */
function furthestOf(errors: readonly unknown[]): unknown {
  const stage = furthestStage(errors.flatMap((error) => stageOf(error) ?? []))
  return errors.find((error) => stageOf(error) === stage)
}
