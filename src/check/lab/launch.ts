/**
 * One launch of the program under test: an exact environment, every byte of stdout with its time, and no reading of it that
 * could fail.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cannotTell } from '../probe.ts'
import type { Strain } from './strain.ts'
import { Waiting } from './waiting.ts'

/** How a process ended: its status, or the name of the signal. */
export type Exit = number | string

export interface LaunchOptions {
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** The environment in a report's words. */
  readonly sent: string
}

/** The line that ends the dialogue of the start. */
const CLOSING = /^(?:CMETHODS|SMETHODS) DONE$/

export class Launched {
  /** What the program was given. */
  readonly sent: string
  readonly child: ChildProcess
  /** Resolves once the process is gone and what it wrote has been read. */
  readonly exited: Promise<void>
  /** True if it could not be started; `exit` is the reason then. */
  unstarted = false
  /** How it ended by itself, or by a signal that a probe sent. */
  exit: Exit | undefined
  /** When each line was complete, in milliseconds since the start. */
  readonly times: number[] = []
  #stdout: Buffer = Buffer.alloc(0)
  #stderr: string = ''
  #killed = false
  readonly #waiting: Waiting
  readonly #start: number = performance.now()

  constructor({ command, env, cwd, sent }: LaunchOptions, strain: Strain) {
    this.sent = sent
    this.#waiting = new Waiting(strain)
    const [program = '', ...args] = command
    this.child = spawn(program, args, { env: { ...env }, cwd, stdio: 'pipe', windowsHide: true })
    strain.watch(this.child.pid)
    const { stdin, stdout, stderr } = this.child
    for (const stream of [stdin, stdout, stderr]) stream?.on('error', () => undefined)
    stdout?.on('data', (chunk: Buffer) => this.#hear(chunk))
    stderr?.on('data', (chunk: Buffer) => (this.#stderr = (this.#stderr + chunk.toString('latin1')).slice(-65_536)))
    this.exited = this.#untilGone()
  }

  /** The complete lines of stdout, a character for each byte. */
  get lines(): string[] {
    return this.#stdout.toString('latin1').split('\n').slice(0, -1)
  }

  /** What follows the last NL on stdout. */
  get rest(): string {
    return this.#stdout.subarray(this.#stdout.lastIndexOf(10) + 1).toString('latin1')
  }

  get stderr(): string {
    return this.#stderr
  }

  /** stdout and how the process ended, for a report. */
  get seen(): string {
    const lines = this.rest === '' ? this.lines : [...this.lines, `${this.rest} (without NL)`]
    const text = lines.length === 0 ? ['(nothing on stdout)'] : lines.slice(0, 12).map((line) => visible(line))
    if (lines.length > 12) text.push(`… ${lines.length - 12} more lines`)
    const words = this.#stderr.trim().split('\n').at(-1) ?? ''
    if (lines.length === 0 && words !== '') text.push(`stderr: ${visible(words)}`)
    if (this.exit !== undefined) text.push(`(ended: ${typeof this.exit === 'number' ? 'status ' : ''}${this.exit})`)
    return text.join('\n')
  }

  /** Waits for the first line that matches; undefined if the process ends, or the time is over, without one. */
  async until(pattern: RegExp, ms: number): Promise<string | undefined> {
    const find = (): string | undefined => this.lines.find((line) => pattern.test(line))
    await this.#wait(ms, () => find() !== undefined)
    return find()
  }

  /** Waits until its start is over: …METHODS DONE, or its end. False if neither came in time. */
  async settled(ms: number): Promise<boolean> {
    const over = (): boolean => this.lines.some((line) => CLOSING.test(line.trimEnd()))
    await this.#wait(ms, over)
    return over() || this.exit !== undefined
  }

  /** Says how it ended within `ms`; undefined if it still runs. */
  async ends(ms: number): Promise<Exit | undefined> {
    await this.#wait(ms, () => false)
    return this.exit
  }

  closeStdin(): void {
    this.child.stdin?.destroy()
  }

  /** Ends it if it has not ended by itself; `exit` stays as it was. */
  async kill(): Promise<void> {
    this.#killed = true
    this.child.stdin?.destroy()
    this.child.kill('SIGKILL')
    await this.exited
  }

  #hear(chunk: Buffer): void {
    const now = performance.now() - this.#start
    for (const byte of chunk) if (byte === 10) this.times.push(now)
    this.#stdout = Buffer.concat([this.#stdout, chunk]).subarray(0, 1 << 20)
    this.#waiting.wake()
  }

  /** Waits until `holds` is true, the process is gone, or the time is over. */
  async #wait(ms: number, holds: () => boolean): Promise<void> {
    await this.#waiting.until(ms, () => holds() || this.exit !== undefined)
  }

  async #untilGone(): Promise<void> {
    const { child } = this
    let exit: Exit
    try {
      const closed = new Promise((resolve) => child.once('close', resolve))
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
      // A program that it left behind may hold the pipes open.
      const timer = setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream?.destroy()), 300)
      await closed
      clearTimeout(timer)
      exit = code ?? signal ?? 'unknown'
    } catch (error) {
      this.unstarted = true
      exit = (error as Error).message
    }
    if (!this.#killed) this.exit = exit
    this.#waiting.wake()
  }
}

/** Returns text of the program under test as a report shows it: control characters and others outside ASCII in hex. */
export function visible(text: string): string {
  const shown = text.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return shown.length > 300 ? `${shown.slice(0, 300)}…` : shown
}

/** Waits for a line of the pattern; without it nothing can be told. */
export async function requireLine(pt: Launched, pattern: RegExp, ms: number): Promise<string> {
  const line = await pt.until(pattern, ms)
  return line ?? cannotTell(`it did not start: ${pt.seen.split('\n').join(' | ')}`)
}
