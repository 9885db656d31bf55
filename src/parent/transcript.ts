/**
 * What the process says: taken into the dialogue, told to the application, and remembered for errors.
 */
import type { Args } from '../ipc/index.ts'
import { implementationOf } from '../ipc/index.ts'
import type { Expected } from './dialogue.ts'
import { Dialogue } from './dialogue.ts'
import type { OnEvent } from './events.ts'
import type { Output } from './spawn.ts'

/** How many lines of stdout an error keeps, and how much of each. */
const KEPT_LINES = 20
const KEPT_LENGTH = 300

export class Transcript implements Output {
  readonly dialogue: Dialogue
  /** The last lines, shortened. */
  readonly lines: string[] = []
  /** Resolves with CMETHODS DONE or SMETHODS DONE. */
  readonly done: Promise<void>
  /** Resolves with the first thing that may not be put up with. Never rejects. */
  readonly faulted: Promise<Error>
  /** Resolves when nothing more will be said. Never rejects. */
  readonly ended: Promise<void>
  readonly #emit: OnEvent
  #settleDone!: () => void
  #settleFault!: (error: Error) => void
  #settleEnd!: () => void
  #broken = false

  constructor(expected: Expected, emit: OnEvent) {
    this.dialogue = new Dialogue(expected)
    this.#emit = emit
    this.done = new Promise((resolve) => (this.#settleDone = resolve))
    this.faulted = new Promise((resolve) => (this.#settleFault = resolve))
    this.ended = new Promise((resolve) => (this.#settleEnd = resolve))
  }

  line(line: string): void {
    this.lines.push(line.slice(0, KEPT_LENGTH))
    if (this.lines.length > KEPT_LINES) this.lines.shift()
    if (this.#broken) return
    try {
      const { message, warning } = this.dialogue.hear(line)
      this.#emit({ type: 'line', line, message })
      if (warning !== undefined) this.#emit({ type: 'warning', message: warning })
      if (message?.type === 'log') this.#emit({ type: 'log', severity: message.severity, message: message.message })
      if (message?.type === 'status') this.#status(message.args)
      if (this.dialogue.done) this.#settleDone()
    } catch (error) {
      this.#emit({ type: 'line', line, message: undefined })
      this.fault(error as Error)
    }
  }

  fault(error: Error): void {
    this.#broken = true
    this.#settleFault(error)
  }

  end(): void {
    this.#settleEnd()
  }

  stderr(line: string): void {
    this.#emit({ type: 'stderr', line })
  }

  #status(args: Args): void {
    this.#emit({ type: 'status', transport: args.get('TRANSPORT'), args })
    const report = implementationOf(args)
    if (report !== undefined) this.#emit({ type: 'version', ...report })
  }
}
