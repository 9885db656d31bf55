/**
 * Dials that go on after their parent has hung up. obfs4proxy does not notice that its parent is gone before the bridge has
 * answered, so its connection to a silent bridge stays open for the time of a handshake. A client that closed it sooner could be
 * recognized by that.
 *
 *     the parent hangs up ── parked ─┬─ the bridge answers: the connection is closed, as there is nothing to carry
 *                                    ├─ the transport's own time is over
 *                                    └─ MOST_PARKED others were parked later, or the PT stops: closed at once
 */
import type { Cancellation } from '../io/wait/cancellation.ts'
import type { Deadline } from '../io/wait/deadline.ts'
import { deadline } from '../io/wait/deadline.ts'
import type { ClientSession } from '../transport.ts'
import type { Opened } from './opened.ts'
import { withSignal } from './session-signal.ts'

/** Each of them costs a socket and what its handshake has read. An honest parent does not hang up so often within a minute. */
const MOST_PARKED = 256

/** The parked dials of a PT. */
export class ParkedDials {
  /** In the order in which they were parked. */
  readonly #parked = new Set<OutlastingDial>()
  #over = false

  /** A dial that can be parked. It ends by itself after `ms` milliseconds. */
  dial(ms: number, opened: Opened): OutlastingDial {
    return new OutlastingDial(this, deadline(ms, 'the connection to the bridge'), opened)
  }

  /** Lets a dial go on, and ends the oldest one if there are too many. */
  add(dial: OutlastingDial): void {
    if (this.#over) return dial.end()
    const [oldest] = this.#parked
    if (this.#parked.size >= MOST_PARKED) oldest?.end()
    this.#parked.add(dial)
  }

  /** True if the dial was parked. */
  remove(dial: OutlastingDial): boolean {
    return this.#parked.delete(dial)
  }

  /** Ends all of them now, and each later one as it comes. */
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
      return await act(withSignal(given, this.#limit))
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

  /** The parent does not wait for the dial any more. It goes on unless it has settled. */
  park(): void {
    if (this.#settled) this.end()
    else this.#parked.add(this)
  }

  /** Ends the dial now, with all that it opened. */
  end(): void {
    this.#parked.remove(this)
    this.#limit.clear()
    this.#limit.abort(new Error('the parent has hung up'))
    this.#opened.destroyAll()
  }
}
