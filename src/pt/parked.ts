/**
 * Dials that go on after their parent has hung up, for transports whose observers could tell us by it: obfs4proxy does not notice
 * that its parent is gone before the bridge has answered, so the connection to a silent bridge stays open for the time of a handshake.
 *
 *     the parent hangs up ── parked ─┬─ the bridge answers: the connection is closed, as there is nobody to carry for
 *                                    ├─ the transport's own time is over
 *                                    └─ MOST_PARKED others were parked later, or the PT stops: closed at once
 */
import type { Cancellation, Deadline } from '../io/index.ts'
import { deadline } from '../io/index.ts'
import type { ClientSession } from '../transport.ts'
import type { Opened } from './session.ts'
import { sessionOf } from './session.ts'

/** Each is a socket and what a handshake has read; a parent that hangs up more often than this within a minute is not honest. */
const MOST_PARKED = 256

/** The parked dials of a PT. */
export class ParkedDials {
  /** The oldest first. */
  readonly #parked = new Set<OutlastingDial>()
  #over = false

  /** A dial that can be parked. It ends by itself after `ms` milliseconds. */
  dial(ms: number, opened: Opened): OutlastingDial {
    return new OutlastingDial(this, deadline(ms, 'the connection to the bridge'), opened)
  }

  /** Keeps a dial on, in the place of the oldest if there are too many. */
  add(dial: OutlastingDial): void {
    if (this.#over) return dial.end()
    const [oldest] = this.#parked
    if (this.#parked.size >= MOST_PARKED) oldest?.end()
    this.#parked.add(dial)
  }

  /** True if it was parked. */
  remove(dial: OutlastingDial): boolean {
    return this.#parked.delete(dial)
  }

  /** Ends all of them now, and each that comes later at once. */
  end(): void {
    this.#over = true
    for (const dial of this.#parked) dial.end()
  }

  get count(): number {
    return this.#parked.size
  }
}

export class OutlastingDial {
  readonly #parked: ParkedDials
  readonly #limit: Deadline
  readonly #opened: Opened
  #settled = false

  constructor(parked: ParkedDials, limit: Deadline, opened: Opened) {
    this.#parked = parked
    this.#limit = limit
    this.#opened = opened
  }

  /** Runs `act` with a session whose signal does not abort when the parent hangs up. */
  async run<Result>(
    given: Omit<ClientSession, 'signal' | 'cancellation'>,
    act: (session: ClientSession) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await act(sessionOf(given, this.#limit))
    } finally {
      this.#settled = true
      this.#limit.clear()
      if (this.#parked.remove(this)) this.end()
    }
  }

  /** The dial has succeeded: from now on its signal aborts with that of the parent's connection. */
  follow(connection: Cancellation): void {
    const abort = (): void => this.#limit.abort(connection.reason as Error)
    if (connection.aborted) abort()
    else connection.addEventListener('abort', abort)
  }

  /** Nobody waits for the dial any more. Unless it has settled, it goes on. */
  park(): void {
    if (this.#settled) this.end()
    else this.#parked.add(this)
  }

  /** Ends it now, with all that it opened. */
  end(): void {
    this.#parked.remove(this)
    this.#limit.clear()
    this.#limit.abort(new Error('the parent has hung up'))
    this.#opened.destroyAll()
  }
}
