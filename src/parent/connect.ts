/**
 * A connection through a PT client: its SOCKS port, a request with the arguments, and a PT that may be restarting.
 *
 *     application ── SOCKS on loopback ── PT client ══ transport ══ bridge
 */
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../error.ts'
import { connectionFailure } from '../failure.ts'
import { orAborted, withDeadline } from '../io/wait/deadline.ts'
import { keepAliveOptions } from '../io/tcp/keep-alive.ts'
import type { ArgsInit } from '../ipc/index.ts'
import { Args, secretsOf } from '../ipc/index.ts'
import { connectSocks } from '../socks/index.ts'
import type { Method } from './dialogue.ts'
import type { Discretion } from './discretion.ts'
import type { GuessedWords } from './guess.ts'
import type { Life } from './life.ts'
import type { Expectation, Outcome, Outcomes } from './outcomes.ts'
import { within } from '../io/wait/within.ts'
import type { Supervisor } from './supervise.ts'

/** What all connections through one PT share. */
export interface ConnectContext {
  readonly supervisor: Supervisor
  readonly outcomes: Outcomes
  readonly guessed: GuessedWords
  readonly discretion: Discretion
  readonly timeout: number
  /** The life that carries each connection. */
  readonly lives: WeakMap<Duplex, Life>
}

export interface ConnectRequest {
  readonly transport: string
  readonly target: string
  readonly args: ArgsInit | undefined
  readonly signal: AbortSignal | undefined
}

/** After a connection that found no process, the end of that process is waited for so many milliseconds. */
const DEATH_NOTICE = 1_000

/** A connection that is given up sooner is no failure to our PT, which says nothing about it then. In milliseconds. */
const TOLD_AFTER = 5_000

type ClientMethod = Extract<Method, { type: 'cmethod' }>

/** Connects as the documentation of `ClientPt.connect` says. */
export async function connectThrough(context: ConnectContext, request: ConnectRequest): Promise<Duplex> {
  const { supervisor, timeout, discretion } = context
  supervisor.stopping.throwIfAborted()
  request.signal?.throwIfAborted()
  discretion.add(secretsOf(request.target, Args.from(request.args ?? [])))
  const connecting = new Connecting(context, request)
  try {
    return await withDeadline(timeout, `a connection through ${request.transport}`, request.signal, (signal) =>
      connecting.connect(signal),
    )
  } catch (error) {
    throw await connecting.atTimeout(error)
  } finally {
    connecting.expectation?.[Symbol.dispose]()
  }
}

function methodOf(life: Life, transport: string): ClientMethod {
  const method = life.methods.get(transport)
  if (method?.type === 'cmethod') return method
  const reason = life.failures.get(transport) ?? 'it was not requested'
  throw new PtError('PT_LAUNCH', `there is no transport ${transport}: ${reason}`)
}

class Connecting {
  readonly #context: ConnectContext
  readonly #request: ConnectRequest
  /** What the PT is expected to say about the attempt that is under way. */
  expectation: Expectation | undefined

  constructor(context: ConnectContext, request: ConnectRequest) {
    this.#context = context
    this.#request = request
  }

  async connect(signal: AbortSignal): Promise<Duplex> {
    const { supervisor, lives } = this.#context
    for (;;) {
      const life = await orAborted(supervisor.ready(), signal)
      const result = await this.#attempt(methodOf(life, this.#request.transport), signal)
      if (!(result instanceof Error)) {
        lives.set(result, life)
        return result
      }
      // If the process is gone, too, the next life is waited for.
      const ended = await orAborted(within(life.ended, DEATH_NOTICE), signal)
      if (ended === undefined) throw result
    }
  }

  /** A connection; or an error, not thrown, if there was no process to ask. */
  async #attempt(method: ClientMethod, signal: AbortSignal): Promise<Duplex | Error> {
    const { transport, target, args } = this.#request
    const { supervisor, outcomes } = this.#context
    const start = Date.now()
    const socket = connectTcp({ ...method.address, noDelay: true, allowHalfOpen: true, ...keepAliveOptions })
    const stop = (): void => void socket.destroy(supervisor.stopping.reason as Error)
    supervisor.stopping.addEventListener('abort', stop, { once: true })
    const version = method.protocol === 'socks5' ? 5 : 4
    let connected = false
    try {
      await once(socket, 'connect', { signal })
      connected = true
      this.expectation?.[Symbol.dispose]()
      this.expectation = outcomes.expect(transport, socket.localPort ?? 0)
      await connectSocks(socket, { version, target, args }, signal)
      return socket
    } catch (error) {
      socket.destroy()
      supervisor.stopping.throwIfAborted()
      signal.throwIfAborted()
      if (!connected)
        return new PtError('PT_CONNECT', `the SOCKS port of ${transport} does not accept`, { cause: error })
      const failure = await this.#explained(error, start)
      // The system accepts for a process that is just dying. In SOCKS 5 the target is told after the first answer only, so without an
      // answer there was no request. A request that was made is never repeated: the PT may die of it.
      if (version === 5 && socket.bytesRead === 0 && isPtError(failure, 'PT_CLOSED')) return failure
      throw failure
    } finally {
      supervisor.stopping.removeEventListener('abort', stop)
    }
  }

  /** The error of a failed request: what the PT said of this connection, or else the reply and what it said at about that time. */
  async #explained(error: unknown, start: number): Promise<unknown> {
    const { transport } = this.#request
    const { outcomes, guessed, discretion } = this.#context
    const known = isPtError(error) ? error : new PtError('PT_CLOSED', 'the PT cut the connection off', { cause: error })
    if (!isPtError(known, 'PT_SOCKS_REFUSED', 'PT_CLOSED')) return known
    const guess = outcomes.exact ? undefined : guessed.since(transport, start)
    const outcome = await this.expectation?.within(outcomes.patience)
    if (outcome !== undefined) return this.#failed(outcome, known)
    // A PT that has named another connection meanwhile would have named this one too.
    const words = outcomes.exact ? undefined : await guess
    return new PtError(known.code, `${transport}: ${known.message}`, {
      ...(known.cause === undefined ? {} : { cause: known.cause }),
      ...(known.reply === undefined ? {} : { reply: known.reply }),
      ...(known.stage === undefined ? {} : { stage: known.stage }),
      ...(words === undefined ? {} : { reported: discretion.words(words) }),
    })
  }

  /** The same for our own time limit: the PT has seen that it was given up, and may have said what it was waiting for. */
  async atTimeout(error: unknown): Promise<unknown> {
    const { outcomes, timeout } = this.#context
    if (!isPtError(error, 'PT_TIMEOUT') || error.stage !== undefined || timeout < TOLD_AFTER) return error
    const outcome = await this.expectation?.within(outcomes.patience)
    return outcome === undefined ? error : this.#failed(outcome, error)
  }

  #failed({ stage, words }: Outcome, cause: PtError): PtError {
    const reported = words === '' ? undefined : this.#context.discretion.words(words)
    return connectionFailure(stage, this.#request.transport, { cause, reported })
  }
}
