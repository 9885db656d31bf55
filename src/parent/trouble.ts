/**
 * What the PT said about its failures, for the errors of connections that failed at about that time: a SOCKS reply is one
 * byte, and a STATUS or LOG line has the reason. Only handed on, never acted on (LOG-2), and cleaned by those who do so.
 */
import type { Args } from '../ipc/index.ts'
import type { OnEvent, PtEvent } from './events.ts'

/** Where the peer is and who it is: an error message repeats neither. */
const confidential: ReadonlySet<string> = new Set(['TRANSPORT', 'ADDRESS', 'FINGERPRINT'])

/**
 * How long words may come after the SOCKS reply, in milliseconds, as they are on their way through another pipe: of a PT that
 * reports by STATUS what it does, and of one that has said nothing of the kind, or not when it was waited for.
 */
const PATIENCE = { talking: 1_000, silent: 50 }

/** How much is kept of what was said, in characters; an error has the beginning of it. */
const KEPT = 8_192

export class Trouble {
  /** Remembers, and passes on. */
  readonly onEvent: OnEvent
  readonly #waiting = new Set<() => void>()
  #talks = false
  /** The last words by transport; under '' those of a LOG, which names none. */
  readonly #last = new Map<string, { readonly at: number; readonly text: string }>()

  constructor(next: OnEvent | undefined) {
    this.onEvent = (event) => {
      this.#note(event)
      return next?.(event)
    }
  }

  /** What was said of `transport` at `time` (of Date.now) or later, if anything. */
  since(transport: string, time: number): string | undefined {
    const words = [this.#last.get(transport), this.#last.get('')]
    return words.find((one) => one !== undefined && one.at >= time)?.text
  }

  /** The same, waited for where it was not said yet. */
  async awaited(transport: string, time: number): Promise<string | undefined> {
    if (this.since(transport, time) === undefined) await this.#words(transport, time)
    return this.since(transport, time)
  }

  #words(transport: string, time: number): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve()
      }
      const look = (): void => {
        if (this.since(transport, time) !== undefined) settle()
      }
      const giveUp = (): void => {
        this.#talks = false
        settle()
      }
      const timer = setTimeout(giveUp, this.#talks ? PATIENCE.talking : PATIENCE.silent)
      this.#waiting.add(look)
    })
  }

  #note(event: PtEvent): void {
    if (event.type === 'status') this.#talks = true
    if (event.type === 'status' && event.transport !== undefined && isFailure(event.args)) {
      const pairs = [...event.args].filter(([key]) => !confidential.has(key.toUpperCase()))
      this.#keep(event.transport, pairs.map(([key, value]) => `${key}=${value}`).join(' '))
    }
    if (event.type === 'log' && (event.severity === 'error' || event.severity === 'warning'))
      this.#keep('', event.message)
  }

  #keep(transport: string, text: string): void {
    // The PT chooses these names, so there must be an end to them.
    if (this.#last.size >= 100) this.#last.clear()
    this.#last.set(transport, { at: Date.now(), text: text.slice(0, KEPT) })
    for (const look of this.#waiting) look()
  }
}

function isFailure(args: Args): boolean {
  return args.has('ERRSTR') || [...args].some(([, value]) => /^(?:fail|error)/i.test(value))
}
