/**
 * The signal of one session. It limits the time of the handshake, notices that the other side hangs up, and lives on until the
 * connection has closed.
 *
 *     accepted ── handshake ── over() ── … ── closed
 *        └─ time over, or hung up: the signal aborts        └─ the signal aborts in any case
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { Cancellation } from '../io/wait/cancellation.ts'
import type { Deadline } from '../io/wait/deadline.ts'
import { deadline } from '../io/wait/deadline.ts'
import type { EndWatcher } from '../io/ends.ts'
import { watchEnds } from '../io/ends.ts'

export class SessionSignal implements EndWatcher {
  readonly #watchEnd: boolean
  readonly #limit: Deadline
  #over = false

  /**
   * The signal aborts when `conn` closes, or if `what`, the handshake, takes longer than `ms` milliseconds. With `watchEnd` an end
   * of `conn` with no byte waiting in front of it counts as hanging up during the handshake: when a parent closes its SOCKS
   * connection, only a FIN shows it.
   */
  constructor(conn: Duplex, ms: number, what: string, watchEnd: boolean) {
    this.#watchEnd = watchEnd
    this.#limit = deadline(ms, what)
    watchEnds(conn, this)
    if (conn.destroyed) this.onClose()
  }

  get cancellation(): Cancellation {
    return this.#limit.cancellation
  }

  /** `given` with this signal, as a transport is given it. */
  session<Given extends object>(given: Given): Given & Pick<Deadline, 'cancellation' | 'signal'> {
    return withSignal(given, this.#limit)
  }

  /** Begins another wait under the same signal. */
  again(ms: number, what: string): void {
    this.#limit.again(ms, what)
  }

  /**
   * Runs `act` until the signal aborts. `streamOf` finds the stream in its result and gives it a listener for errors. A stream
   * that comes too late is destroyed, as there is no use for it any more.
   */
  until<Result>(act: () => Promise<Result>, streamOf: (result: Result) => Duplex | undefined): Promise<Result> {
    const signal = this.cancellation
    return new Promise((resolve, reject) => {
      const abandon = (): void => reject(signal.reason)
      if (signal.aborted) abandon()
      else signal.addEventListener('abort', abandon)
      const arrived = (result: Result): void => {
        const stream = streamOf(result)
        signal.removeEventListener('abort', abandon)
        if (signal.aborted) stream?.destroy()
        else resolve(result)
      }
      run(act).then(arrived).catch(reject)
    })
  }

  /** A socket that is not being read says that it has ended once nothing is left in it. */
  onEnd(): void {
    if (this.#watchEnd && !this.#over) this.onClose()
  }

  onClose(): void {
    const what = this.#over ? 'the connection has ended' : 'the connection was closed during the handshake'
    this.#limit.abort(new PtError('PT_CLOSED', what))
  }

  /** The handshake is over, one way or another. The signal goes on until the connection has closed. */
  over(): void {
    this.#over = true
    this.#limit.clear()
  }
}

async function run<Result>(act: () => Promise<Result>): Promise<Result> {
  return await act()
}

/** `given` and the signal of `limit`. The AbortSignal is only made if the transport asks for it. */
export function withSignal<Given extends object>(
  given: Given,
  limit: Deadline,
): Given & Pick<Deadline, 'cancellation' | 'signal'> {
  return {
    ...given,
    cancellation: limit.cancellation,
    get signal() {
      return limit.signal
    },
  }
}

/** A listener for errors alone. silenceErrors() would add three, and most streams that a handshake gives are taken apart at once. */
export function ignoreErrors<Stream extends Duplex>(stream: Stream): Stream {
  return stream.on('error', ignore)
}

function ignore(): void {}
