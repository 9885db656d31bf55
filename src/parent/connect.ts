/**
 * A connection through a PT client: its SOCKS port, a request with the arguments, and a PT that may be restarting.
 *
 *     application ── SOCKS on loopback ── PT client ══ transport ══ bridge
 */
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../error.ts'
import { orAborted, withDeadline } from '../io/wait/deadline.ts'
import { keepAliveOptions } from '../io/tcp/keep-alive.ts'
import type { ArgsInit } from '../ipc/index.ts'
import { Args, secretsOf } from '../ipc/index.ts'
import { connectSocks } from '../socks/index.ts'
import type { Method } from './dialogue.ts'
import type { Discretion } from './discretion.ts'
import type { Life } from './launch.ts'
import { within } from './stop.ts'
import type { Supervisor } from './supervise.ts'
import type { Trouble } from './trouble.ts'

export interface Dial {
  readonly supervisor: Supervisor
  readonly trouble: Trouble
  readonly discretion: Discretion
  readonly transport: string
  readonly target: string
  readonly args: ArgsInit | undefined
  readonly signal: AbortSignal | undefined
  readonly timeout: number
  /** Which life carries a connection. */
  readonly lives: WeakMap<Duplex, Life>
}

/** How long after a connection that found nobody the end of the process is waited for, in milliseconds. */
const DEATH_NOTICE = 1_000

type ClientMethod = Extract<Method, { type: 'cmethod' }>

/** Dials as `ClientPt.connect` says. */
export async function connectThrough(dial: Dial): Promise<Duplex> {
  const { supervisor, transport, timeout } = dial
  supervisor.stopping.throwIfAborted()
  dial.signal?.throwIfAborted()
  dial.discretion.add(secretsOf(dial.target, Args.from(dial.args ?? [])))
  return await withDeadline(timeout, `a connection through ${transport}`, dial.signal, async (signal) => {
    for (;;) {
      const life = await orAborted(supervisor.ready(), signal)
      const result = await attempt(methodOf(life, transport), dial, signal)
      if (!(result instanceof Error)) {
        dial.lives.set(result, life)
        return result
      }
      // Where the process is gone, too, the next life is waited for.
      const ended = await orAborted(within(life.ended, DEATH_NOTICE), signal)
      if (ended === undefined) throw result
    }
  })
}

function methodOf(life: Life, transport: string): ClientMethod {
  const method = life.methods.get(transport)
  if (method?.type === 'cmethod') return method
  const reason = life.failures.get(transport) ?? 'it was not requested'
  throw new PtError('PT_LAUNCH', `there is no transport ${transport}: ${reason}`)
}

/** A connection; or an error, not thrown, where nobody was there to ask. */
async function attempt(method: ClientMethod, dial: Dial, signal: AbortSignal): Promise<Duplex | Error> {
  const { transport, target, args, supervisor } = dial
  const start = Date.now()
  const socket = connectTcp({ ...method.address, noDelay: true, allowHalfOpen: true, ...keepAliveOptions })
  const stop = (): void => void socket.destroy(supervisor.stopping.reason as Error)
  supervisor.stopping.addEventListener('abort', stop, { once: true })
  const version = method.protocol === 'socks5' ? 5 : 4
  let connected = false
  try {
    await once(socket, 'connect', { signal })
    connected = true
    await connectSocks(socket, { version, target, args }, signal)
    return socket
  } catch (error) {
    socket.destroy()
    supervisor.stopping.throwIfAborted()
    signal.throwIfAborted()
    if (!connected) return new PtError('PT_CONNECT', `the SOCKS port of ${transport} does not accept`, { cause: error })
    const failure = await explained(error, dial, start)
    // The system accepts for a process that is just dying. In SOCKS 5 the target is told after the first answer only, so
    // without one there was no request. One that was made is never repeated: it may be what the PT dies of.
    if (version === 5 && socket.bytesRead === 0 && isPtError(failure, 'PT_CLOSED')) return failure
    throw failure
  } finally {
    supervisor.stopping.removeEventListener('abort', stop)
  }
}

/** The error of a failed request, with what the PT said of this transport since `start`. */
async function explained(error: unknown, dial: Dial, start: number): Promise<unknown> {
  const { transport, trouble, discretion } = dial
  const known = isPtError(error) ? error : new PtError('PT_CLOSED', 'the PT cut the connection off', { cause: error })
  if (!isPtError(known, 'PT_SOCKS_REFUSED', 'PT_CLOSED')) return known
  const words = await trouble.awaited(transport, start)
  return new PtError(known.code, `${transport}: ${known.message}`, {
    ...(known.cause === undefined ? {} : { cause: known.cause }),
    ...(known.reply === undefined ? {} : { reply: known.reply }),
    ...(known.stage === undefined ? {} : { stage: known.stage }),
    ...(words === undefined ? {} : { reported: discretion.words(words) }),
  })
}
