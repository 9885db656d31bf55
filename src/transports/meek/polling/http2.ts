/**
 * Requests over HTTP/2 (RFC 9113), by node:http2. What a front can tell a browser by, its settings, its first window and the order of the
 * pseudo-fields, is the browser's whose ClientHello was sent; the fields are those of lyrebird. docs/deviations.md says what is left.
 *
 *     :method, :authority, :scheme, :path          Chromium; Firefox has :method, :path, :authority, :scheme
 *     x-session-id, content-length, accept-encoding
 */
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
  OutgoingHttpHeaders,
  Settings,
} from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Browser } from '../../web/utls.ts'
import type { Route } from '../routes.ts'
import type { Answer } from './answer.ts'
import { answerOf, Body, endOf } from './answer.ts'
import type { FrontConnection } from './front-connection.ts'
import { closeStream, cutShort, NotSent } from './front-connection.ts'

type Where = Pick<Route, 'authority' | 'path'>

/** RFC 9113, section 7. */
const NO_ERROR = 0
const REFUSED_STREAM = 7
const CANCEL = 8

interface Habits {
  readonly settings: Settings
  /** The window of the whole connection: it is opened by a WINDOW_UPDATE after the settings. */
  readonly window: number
  /** The pseudo-fields in their order. */
  readonly pseudo: (where: Where) => OutgoingHttpHeaders
}

const chromium: Habits = {
  settings: { headerTableSize: 65_536, enablePush: false, initialWindowSize: 6_291_456, maxHeaderListSize: 262_144 },
  window: 15_728_640,
  pseudo: ({ authority, path }) => ({
    ':method': 'POST',
    ':authority': authority,
    ':scheme': 'https',
    ':path': path,
  }),
}

const firefox: Habits = {
  settings: { headerTableSize: 65_536, enablePush: false, initialWindowSize: 131_072, maxFrameSize: 16_384 },
  window: 12_582_912,
  pseudo: ({ authority, path }) => ({
    ':method': 'POST',
    ':path': path,
    ':authority': authority,
    ':scheme': 'https',
  }),
}

/** Begins HTTP/2 on a stream whose ALPN has chosen it. */
export async function openHttp2(stream: Duplex, where: Where, browser: Browser | undefined): Promise<FrontConnection> {
  const { connect } = await import('node:http2')
  const habits = browser === 'firefox' ? firefox : chromium
  const session = connect(`https://${where.authority}`, { createConnection: () => stream, settings: habits.settings })
  return new Http2Connection(session, stream, where, habits)
}

class Http2Connection implements FrontConnection {
  readonly #session: ClientHttp2Session
  readonly #stream: Duplex
  readonly #where: Where
  readonly #habits: Habits
  #isOver = false
  #isBusy = false

  constructor(session: ClientHttp2Session, stream: Duplex, where: Where, habits: Habits) {
    this.#session = session
    this.#stream = stream
    this.#where = where
    this.#habits = habits
    const over = (): void => void (this.#isOver = true)
    session.once('connect', () => session.setLocalWindowSize(habits.window))
    session.on('goaway', over).on('error', over).once('close', over)
    session.once('close', () => stream.destroy())
  }

  get isUsable(): boolean {
    const { closed, destroyed } = this.#session
    return !this.#isOver && !this.#isBusy && !closed && !destroyed && !this.#stream.destroyed
  }

  async post(id: string, body: Buffer): Promise<Answer> {
    if (!this.isUsable) throw new NotSent()
    const fields = { 'x-session-id': id, 'content-length': String(body.length), 'accept-encoding': 'gzip' }
    let request: ClientHttp2Stream
    try {
      request = this.#session.request(
        { ...this.#habits.pseudo(this.#where), ...fields },
        { endStream: body.length === 0 },
      )
    } catch {
      // The front has said that it takes no more.
      throw new NotSent()
    }
    this.#isBusy = true
    if (body.length > 0) request.end(body)
    const answer = await received(request)
    this.#isBusy = false
    return answer
  }

  close(): void {
    this.#isOver = true
    // It says GOAWAY, and ends the stream once that is out.
    if (!this.#isBusy && !this.#session.destroyed) return this.#session.close()
    this.#session.destroy()
    closeStream(this.#stream, false)
  }
}

function received(request: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = new Body()
    let head: IncomingHttpHeaders & IncomingHttpStatusHeader = {}
    let isWhole = false
    request
      .on('response', (given) => void (head = given))
      .on('data', (chunk: Buffer) => {
        try {
          body.add(chunk)
        } catch (error) {
          reject(error)
          request.close(CANCEL)
        }
      })
      .on('end', () => void (isWhole = true))
      .on('error', () => undefined)
      .once('close', () => {
        const { ':status': status, 'content-length': length, 'content-encoding': encoding, 'content-type': type } = head
        const isAnswer = isWhole && request.rstCode === NO_ERROR
        if (status !== undefined && isAnswer) return resolve(answerOf(status, body, encoding, type))
        const end = status === undefined ? undefined : endOf(status, length, body)
        if (end !== undefined) resolve(end)
        else reject(status === undefined && request.rstCode === REFUSED_STREAM ? new NotSent() : cutShort())
      })
  })
}
