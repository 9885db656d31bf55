/** The PT that a parent under test has launched, as the checker sees and leads it: the other end of stand-in.ts. */
import type { Strain } from '../lab/strain.ts'
import { Waiting } from '../lab/waiting.ts'
import type { Wire } from '../lab/wire.ts'
import type { Role } from '../verdict.ts'
import type { Order, Report } from './stand-in.ts'

/** Something that happened to the PT. */
export interface Happening {
  readonly what: string
  /** Milliseconds since it said hello, by its own clock. */
  readonly at: number
  /** How long it had waited for a CPU by then, in milliseconds: so much may have happened earlier than it saw. */
  readonly waited: number
}

export class PlayedPt {
  readonly env: Readonly<Record<string, string>>
  readonly argv: readonly string[]
  readonly happenings: Happening[] = []
  readonly #wire: Wire
  readonly #waiting: Waiting
  readonly #start: number
  #waited: number
  #marks = 0

  private constructor(wire: Wire, strain: Strain, hello: Extract<Report, { type: 'hello' }>) {
    this.env = hello.env
    this.argv = hello.argv
    this.#wire = wire
    this.#waiting = new Waiting(strain)
    this.#start = hello.at
    this.#waited = hello.waited
    strain.watch(hello.pid)
    void this.#listen()
  }

  /** Returns the PT of a stand-in's connection, once it has said hello; undefined if it was killed before. */
  static async behind(wire: Wire, strain: Strain): Promise<PlayedPt | undefined> {
    const line = await readLine(wire)
    return line === '' ? undefined : new PlayedPt(wire, strain, JSON.parse(line) as Extract<Report, { type: 'hello' }>)
  }

  get role(): Role {
    return this.env['TOR_PT_CLIENT_TRANSPORTS'] === undefined ? 'server' : 'client'
  }

  get transports(): string[] {
    const list = this.env['TOR_PT_CLIENT_TRANSPORTS'] ?? this.env['TOR_PT_SERVER_TRANSPORTS'] ?? ''
    return list.split(',').filter((name) => name !== '')
  }

  /** Its own variables, a line each. */
  get variables(): string {
    const own = Object.entries(this.env).filter(([name]) => name.startsWith('TOR_PT_'))
    return own.map(([name, value]) => `${name}=${value}`).join('\n')
  }

  /** What the parent has done to it, in order and with its time. */
  get history(): string {
    return this.happenings.length === 0
      ? 'the PT goes on'
      : this.happenings.map(({ what, at }) => `${what} after ${at} ms`).join(', ')
  }

  say(...lines: readonly string[]): void {
    this.order({ say: lines.map((line) => `${line}\n`).join('') })
  }

  order(order: Order): void {
    this.#wire.write(`${JSON.stringify(order)}\n`)
  }

  /** How long it has waited for a CPU up to now, in milliseconds, as it says itself. */
  async waited(): Promise<number> {
    const before = this.#marks
    this.order({ mark: true })
    await this.#waiting.until(10_000, () => this.#marks > before)
    return this.#waited
  }

  /** True if the parent has asked it to go, or has killed it, within `ms`. */
  async dismissed(ms: number): Promise<boolean> {
    return await this.#waiting.until(ms, () => this.happenings.length > 0)
  }

  /** Waits until it is gone. */
  async gone(ms: number): Promise<boolean> {
    return await this.#waiting.until(ms, () => this.happenings.at(-1)?.what === 'gone')
  }

  async #listen(): Promise<void> {
    for (let line = await readLine(this.#wire); line !== ''; line = await readLine(this.#wire)) {
      const report = JSON.parse(line) as Report
      this.#waited = report.waited
      if (report.type === 'mark') {
        this.#marks++
        this.#waiting.wake()
        continue
      }
      const what = report.type === 'signal' ? report.name : report.type
      this.#note({ what, at: Math.round(report.at - this.#start), waited: report.waited })
    }
    const { at = 0, waited = 0 } = this.happenings.at(-1) ?? {}
    this.#note({ what: 'gone', at, waited })
  }

  #note(happening: Happening): void {
    this.happenings.push(happening)
    this.#waiting.wake()
  }
}

/** Reads a line, and returns it without its NL; empty at the end. */
async function readLine(wire: Wire): Promise<string> {
  const bytes: Buffer[] = []
  for (;;) {
    const byte = await wire.take(1, 2 ** 30)
    if (byte.length === 0) return ''
    if (byte[0] === 10) return Buffer.concat(bytes).toString('utf8')
    bytes.push(byte)
  }
}
