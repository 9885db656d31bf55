/**
 * The requests of one session, one at a time: over the connection that there is, or over a new one.
 *
 *     no byte of a request was written     it is sent over a new connection, by the next route if need be
 *     some were, and no answer came        the session ends: it has no numbers by which a server could tell a repeated body from a new one
 *
 * docs/decisions/0081-meek-never-repeats-a-body.md has more.
 */
import { randomBytes } from 'node:crypto'
import { isPtError } from '../../../error.ts'
import { Canceller } from '../../../io/wait/cancellation.ts'
import { deadline, delay, orAborted } from '../../../io/wait/deadline.ts'
import type { Cancellation, Connect } from '../../../transport.ts'
import type { FrontSession } from '../../web/dial-front.ts'
import type { Route } from '../routes.ts'
import type { Answer } from './answer.ts'
import type { FrontConnection } from './front-connection.ts'
import { NotSent } from './front-connection.ts'

/** How long the first answer may take, and any later one with its connection: a meek server forgets a silent session after 120 s. In ms. */
const FIRST_TIME = 30_000
const ANSWER_TIME = 120_000
/** How often a request of which no byte was written is tried. */
const MOST_TRIES = 10
/** The pause after all routes have failed, and how it grows. */
const PAUSE = 100
const PAUSE_FACTOR = 1.5

/** Connects to the front of a route. */
export type OpenRoute = (route: Route, session: FrontSession) => Promise<FrontConnection>

export class Poller {
  readonly #id = randomBytes(16).toString('hex')
  readonly #connect: Connect
  readonly #open: OpenRoute
  readonly #over = new Canceller()
  /** The one that was used last comes first. */
  #routes: readonly Route[]
  #connection: FrontConnection | undefined

  constructor(routes: readonly Route[], connect: Connect, open: OpenRoute) {
    this.#routes = routes
    this.#connect = connect
    this.#open = open
  }

  /** Connects by the first route and asks once, with an empty body: nothing can be lost, and the answer shows that a server is there. */
  async begin(signal: Cancellation): Promise<Answer> {
    const [route] = this.#routes
    if (route === undefined) throw new TypeError('a session needs a route')
    using connecting = deadline(ANSWER_TIME, 'the connection to the front', signal)
    this.#connection = await this.#open(route, { connect: this.#connect, signal: connecting.signal })
    return await this.#ask(this.#connection, Buffer.alloc(0), FIRST_TIME, signal)
  }

  /** Sends `body`. Rejects if it is not known whether the server has it, and after `close()`. */
  async post(body: Buffer): Promise<Answer> {
    using limit = deadline(ANSWER_TIME, 'a request to the front', this.#over)
    for (let tries = 1; ; tries++) {
      const connection = this.#connection?.isUsable === true ? this.#connection : await this.#connectAgain(limit.signal)
      try {
        return await this.#ask(connection, body, ANSWER_TIME, limit.cancellation)
      } catch (error) {
        if (!(error instanceof NotSent) || tries >= MOST_TRIES) throw error
      }
    }
  }

  /** Ends what is on its way, and the connection. */
  close(): void {
    this.#over.abort(new Error('the session is over'))
    this.#connection?.close()
  }

  async #ask(connection: FrontConnection, body: Buffer, ms: number, signal: Cancellation): Promise<Answer> {
    using limit = deadline(ms, 'the answer of the front', signal)
    try {
      return await orAborted(connection.post(this.#id, body), limit.cancellation)
    } catch (error) {
      connection.close()
      throw error
    }
  }

  async #connectAgain(signal: AbortSignal): Promise<FrontConnection> {
    this.#connection?.close()
    const routes = [...this.#routes]
    let pause = PAUSE
    for (let tries = 1; ; tries++) {
      const [route, ...others] = routes
      try {
        this.#connection = await this.#open(route!, { connect: this.#connect, signal })
        this.#routes = [route!, ...this.#routes.filter((one) => one !== route)]
        return this.#connection
      } catch (error) {
        // A front that is not what it should be is not asked a second time.
        const isLost = isPtError(error, 'PT_CERTIFICATE', 'PT_ARGS', 'PT_OPTION')
        routes.splice(0, routes.length, ...others, ...(isLost ? [] : [route!]))
        if (signal.aborted || tries >= MOST_TRIES || routes.length === 0) throw error
      }
      if (tries % this.#routes.length !== 0) continue
      await delay(pause, signal)
      pause *= PAUSE_FACTOR
    }
  }
}
