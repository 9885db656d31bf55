/**
 * A guess at why a connection failed, for PTs that do not say which connection they speak of, as obfs4proxy, lyrebird and others. What
 * such a PT said at about that time is taken for its account of the failure, and its SOCKS reply for the stage:
 *
 *     05 05    obfs4proxy: the connection was refused
 *     05 01    obfs4proxy: anything else
 *
 * Both may be wrong. Nothing acts on the words (LOG-2), and nothing here is used for a connection that outcomes.ts knows about.
 */
import { isPtError } from '../error.ts'
import type { DialStage } from '../failure.ts'
import { stageOf } from '../failure.ts'
import type { Args } from '../ipc/index.ts'
import type { PtEvent } from './events.ts'

/** Pairs of a STATUS that hold the address and the identity of the bridge: an error repeats neither. */
const confidential: ReadonlySet<string> = new Set(['TRANSPORT', 'ADDRESS', 'FINGERPRINT'])

/**
 * How long words may come after the SOCKS reply, in milliseconds, as they are on their way through another pipe: of a PT that reports
 * failures by STATUS, and of one that has said nothing of the kind, or not when it was waited for.
 */
const PATIENCE = { talking: 1_000, silent: 50 }

/** How much of the PT's words is kept, in characters. An error has the beginning of them. */
const KEPT = 8_192

/** How many transports are remembered: the PT chooses their names, so there must be an end to them. */
const TRANSPORTS = 100

/** The last words of the PT about failures, and when they were said. */
export class GuessedWords {
  readonly #waiting = new Set<() => void>()
  #talks = false
  /** By transport. Under '' are those of a LOG, which names no transport. */
  readonly #last = new Map<string, { readonly at: number; readonly text: string }>()

  /** Takes every event of the PT. */
  note(event: PtEvent): void {
    if (event.type === 'status') this.#talks = true
    if (event.type === 'status' && event.transport !== undefined && isFailure(event.args)) {
      const pairs = [...event.args].filter(([key]) => !confidential.has(key.toUpperCase()))
      this.#keep(event.transport, pairs.map(([key, value]) => `${key}=${value}`).join(' '))
    }
    if (event.type === 'log' && (event.severity === 'error' || event.severity === 'warning'))
      this.#keep('', event.message)
  }

  /** What was said of `transport` at `time` (of Date.now) or later, waited for a little if it was not said yet. */
  async since(transport: string, time: number): Promise<string | undefined> {
    if (this.#said(transport, time) === undefined) await this.#words(transport, time)
    return this.#said(transport, time)
  }

  #said(transport: string, time: number): string | undefined {
    const words = [this.#last.get(transport), this.#last.get('')]
    return words.find((one) => one !== undefined && one.at >= time)?.text
  }

  #words(transport: string, time: number): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve()
      }
      const look = (): void => {
        if (this.#said(transport, time) !== undefined) settle()
      }
      const giveUp = (): void => {
        this.#talks = false
        settle()
      }
      const timer = setTimeout(giveUp, this.#talks ? PATIENCE.talking : PATIENCE.silent)
      this.#waiting.add(look)
    })
  }

  #keep(transport: string, text: string): void {
    if (this.#last.size >= TRANSPORTS) this.#last.clear()
    this.#last.set(transport, { at: Date.now(), text: text.slice(0, KEPT) })
    for (const look of this.#waiting) look()
  }
}

function isFailure(args: Args): boolean {
  return args.has('ERRSTR') || [...args].some(([, value]) => /^(?:fail|error)/i.test(value))
}

/** The SOCKS 5 replies that say where a connection failed; 1, a general failure, does not. */
const byReply: Readonly<Record<number, DialStage>> = {
  2: 'argument',
  3: 'local',
  4: 'connect',
  5: 'connect',
  6: 'timeout',
}

/** No handshake fails for another reason than silence after so many milliseconds: servers that cannot verify a client wait. */
const SILENCE = 25_000

/** The likely stage of a connection that failed after `waited` milliseconds. `proxy`: the PT uses an upstream proxy. */
export function guessStage(error: unknown, waited: number, proxy: boolean): DialStage | undefined {
  if (!isPtError(error, 'PT_SOCKS_REFUSED')) return stageOf(error)
  const told = byReply[error.reply ?? 0]
  if (told !== undefined) return told
  if (waited >= SILENCE) return 'timeout'
  // Through a proxy a general failure may be the proxy's, and nothing tells the two apart. Without one a bridge that is down is likelier
  // than one that accepts and hangs up; obfs4proxy gives the same reply for both.
  return proxy ? undefined : 'connect'
}
