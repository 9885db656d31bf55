/**
 * What a probe of a parent works with: the parent under test, started with a PT that is ours.
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '../../ipc/index.ts'
import { Launched } from '../lab/launch.ts'
import { cannotTell, Closers, Notes } from '../probe.ts'
import type { Bench } from '../run.ts'
import type { Role, Step } from '../verdict.ts'
import type { Wire } from '../lab/wire.ts'
import { Listener } from '../lab/wire.ts'
import type { Order, Report } from './stand-in.ts'

export interface ParentSubject {
  /** The command; `{pt}` in it is the PT that it is to launch, `{dir}` an empty folder. */
  readonly command: readonly string[]
  readonly env: Environment
  /** Node, and the program that stands for the PT. */
  readonly node: string
  readonly standIn: string
  readonly patience: number
  /** How the parent is told to end. */
  readonly stop: 'SIGTERM' | 'SIGINT'
  readonly evidence: Map<string, Promise<unknown>>
}

/** Something that happened to the PT, with its time in milliseconds since it said hello. */
export interface Happening {
  readonly what: string
  readonly at: number
}

/** A PT that the parent has launched. */
export class StandIn {
  readonly env: Readonly<Record<string, string>>
  readonly happenings: Happening[] = []
  readonly #wire: Wire
  readonly #start: number = performance.now()

  constructor(wire: Wire, hello: Extract<Report, { type: 'hello' }>) {
    this.env = hello.env
    this.#wire = wire
    void this.#listen()
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

  say(...lines: readonly string[]): void {
    this.order({ say: lines.map((line) => `${line}\n`).join('') })
  }

  order(order: Order): void {
    this.#wire.write(`${JSON.stringify(order)}\n`)
  }

  /** True where the parent has asked it to go, or has killed it, within `ms`. */
  async dismissed(ms: number): Promise<boolean> {
    const end = performance.now() + ms
    while (performance.now() < end && this.happenings.length === 0) await this.#wire.ends(20)
    return this.happenings.length > 0
  }

  /** Waits until it is gone. */
  async gone(ms: number): Promise<boolean> {
    return await this.#wire.ends(ms)
  }

  async #listen(): Promise<void> {
    for (let line = await readLine(this.#wire); line !== ''; line = await readLine(this.#wire)) {
      const report = JSON.parse(line) as Report
      this.#note(report.type === 'signal' ? report.name : report.type)
    }
    this.#note('gone')
  }

  #note(what: string): void {
    this.happenings.push({ what, at: Math.round(performance.now() - this.#start) })
  }
}

export interface Session {
  readonly parent: Launched
  readonly pt: StandIn
}

export class ParentLab implements Bench {
  readonly notes: Notes = new Notes()
  readonly subject: ParentSubject
  readonly closers: Closers = new Closers()

  constructor(subject: ParentSubject) {
    this.subject = subject
  }

  /** Starts the parent and waits until it has launched its PT. `env` comes on top of its environment. */
  async session(env: Readonly<Record<string, string>> = {}): Promise<Session> {
    const { subject } = this
    const folder = await mkdtemp(join(tmpdir(), 'postern-check-'))
    this.closers.add(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }))
    const control = await this.listen()
    const [pt, dir] = [join(folder, 'pt'), join(folder, 'dir')]
    await mkdir(dir, { mode: 0o700 })
    await writeFile(pt, `#!/bin/sh\nexec '${subject.node}' '${subject.standIn}' ${control.address.port} "$@"\n`)
    await chmod(pt, 0o755)
    const command = subject.command.map((word) => word.replaceAll('{pt}', pt).replaceAll('{dir}', dir))
    const inherited = Object.entries({ ...subject.env, HOME: dir, ...env })
    const all = Object.fromEntries(inherited.filter((entry): entry is [string, string] => entry[1] !== undefined))
    const parent = new Launched({ command, env: all, cwd: dir, sent: 'the parent started' })
    this.closers.add(() => parent.kill())
    const wire = await control.wire(0, subject.patience)
    if (wire === undefined) cannotTell(`the parent launched no PT: ${parent.seen.split('\n').join(' | ')}`)
    const hello = JSON.parse((await readLine(wire)) || '{}') as Extract<Report, { type: 'hello' }>
    return { parent, pt: new StandIn(wire, hello) }
  }

  async listen(serve?: (wire: Wire) => void): Promise<Listener> {
    const listener = await Listener.open(serve)
    this.closers.add(() => listener.close())
    return listener
  }

  expect(holds: boolean, step: Step): void {
    this.notes.expect(holds, step)
  }

  async evidence<T>(name: string, make: (lab: ParentLab) => Promise<T>): Promise<T> {
    const { evidence } = this.subject
    const made = evidence.get(name) ?? inOwnLab(this.subject, make)
    evidence.set(name, made)
    return (await made) as T
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closers[Symbol.asyncDispose]()
  }
}

async function inOwnLab<T>(subject: ParentSubject, make: (lab: ParentLab) => Promise<T>): Promise<T> {
  await using lab = new ParentLab(subject)
  return await make(lab)
}

/** A line without its NL; empty at the end. */
async function readLine(wire: Wire): Promise<string> {
  const bytes: Buffer[] = []
  for (;;) {
    const byte = await wire.take(1, 2 ** 30)
    if (byte.length === 0) return ''
    if (byte[0] === 10) return Buffer.concat(bytes).toString('utf8')
    bytes.push(byte)
  }
}
