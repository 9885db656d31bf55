/**
 * What a probe works with, of a PT or of a parent: fresh folders, launches, listeners and connections, all gone when it ends,
 * and evidence that several probes read.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address } from '../../ipc/index.ts'
import { cannotTell, Notes } from '../probe.ts'
import type { Step } from '../verdict.ts'
import type { LaunchOptions } from './launch.ts'
import { Launched } from './launch.ts'
import { Strain } from './strain.ts'
import type { Wire } from './wire.ts'
import { dialWire, Listener } from './wire.ts'

/** Something that a probe made, and that ends with it. */
type Closer = () => void | Promise<void>

/** Evidence by its name, shared by all labs: the first lab that needs it makes it. */
export type EvidenceBook = Map<string, Promise<{ readonly found: unknown; readonly strained: boolean }>>

/** What all labs of a check have in common. */
export interface Shared {
  readonly evidence: EvidenceBook
  /** Once it aborts, every lab ends by itself, and those that are opened later have ended already. */
  readonly signal: AbortSignal | undefined
}

export abstract class Lab<Self extends Lab<Self>> implements AsyncDisposable {
  readonly notes: Notes = new Notes()
  readonly strain: Strain = new Strain()
  readonly #closers: Closer[] = []
  #closing: Promise<void> = Promise.resolve()
  readonly #book: EvidenceBook

  constructor({ evidence, signal }: Shared) {
    this.#book = evidence
    const interrupt = (): void => void this[Symbol.asyncDispose]()
    signal?.addEventListener('abort', interrupt)
    this.closes(() => signal?.removeEventListener('abort', interrupt))
    if (signal?.aborted === true) interrupt()
  }

  /** Another lab with the same subject. */
  protected abstract another(): Self

  /** Makes evidence that several probes read. What it launches lives in a lab of its own, which has ended when the evidence is there. */
  async evidence<T>(name: string, make: (lab: Self) => Promise<T>): Promise<T> {
    const made = this.#book.get(name) ?? this.#inAnotherLab(make)
    this.#book.set(name, made)
    const { found, strained } = await made
    if (strained) this.strain.exceeded = true
    return found as T
  }

  async #inAnotherLab<T>(make: (lab: Self) => Promise<T>): Promise<{ found: T; strained: boolean }> {
    await using lab = this.another()
    const found = await make(lab)
    return { found, strained: lab.strain.exceeded }
  }

  /** Notes a step; if it does not hold, the statement is broken, or the machine was too busy to tell. */
  expect(holds: boolean, step: Step): void {
    if (!holds && this.strain.exceeded) cannotTell('the machine is so busy that the program did not get its time')
    this.notes.expect(holds, step)
  }

  /** Ends with this lab; what was made last ends first. */
  closes(closer: Closer): void {
    this.#closers.push(closer)
  }

  /** Throws if the lab has ended, as a probe that is interrupted may not know it yet. */
  #requireOpen(): void {
    if (this.strain.over) cannotTell('the check was interrupted')
  }

  /** Makes an empty folder. */
  async folder(): Promise<string> {
    this.#requireOpen()
    const folder = await mkdtemp(join(tmpdir(), 'postern-check-'))
    this.closes(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }))
    return folder
  }

  start(options: LaunchOptions): Launched {
    this.#requireOpen()
    const program = new Launched(options, this.strain)
    this.closes(() => program.kill())
    return program
  }

  /** Makes a listener on a free port of `host`; `serve` gets each connection. */
  async listen(serve?: (wire: Wire) => void, host?: string, port?: number): Promise<Listener> {
    this.#requireOpen()
    const listener = await Listener.open(this.strain, serve, host, port)
    this.closes(() => listener.close())
    return listener
  }

  /** Opens a connection; undefined if no program accepts it. */
  async open(address: Address, localAddress?: string): Promise<Wire | undefined> {
    this.#requireOpen()
    const wire = await dialWire(this.strain, address, localAddress)
    if (wire !== undefined) this.closes(() => void wire.socket.destroy())
    return wire
  }

  /** Closes everything, and does so once more if something was made in the meantime. */
  [Symbol.asyncDispose](): Promise<void> {
    this.strain.end()
    this.#closing = this.#closing.then(async () => {
      for (const close of this.#closers.splice(0).reverse()) await close()
    })
    return this.#closing
  }
}
