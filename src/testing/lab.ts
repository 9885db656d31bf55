/**
 * A transport at work on loopback: its server at a listener as a PT would put it, its client with a `connect` that is
 * watched, and taps on the wire at both ends.
 */
import assert from 'node:assert/strict'
import { mkdtemp, mkdir, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { ArgsInit } from '../ipc/index.ts'
import { Args, formatAddress, formatMessage, parseMessage, transportStatus } from '../ipc/index.ts'
import { listen } from '../io/tcp/listen.ts'
import { endTogether } from '../io/carry/framed.ts'
import { requireArguments } from '../sessions/arguments.ts'
import { replaysInMemory } from '../sessions/replays.ts'
import type { Accepted, Client, Connect, Report, Server, Transport } from '../transport.ts'
import type { Settings } from './settings.ts'
import type { TapOptions } from './tap.ts'
import { Tap } from './tap.ts'
import { until, within } from './wait.ts'
import type { Watch } from './watch.ts'

/** What a tap at either end does. */
export interface Wire {
  readonly client?: Omit<TapOptions, 'onCrash'>
  readonly server?: Omit<TapOptions, 'onCrash'>
  readonly watch?: Watch
}

export interface DialOptions {
  readonly target?: string
  readonly args?: ArgsInit
  readonly connect?: Connect
  readonly signal?: AbortSignal
}

const never = new AbortController().signal

export class Lab implements AsyncDisposable {
  readonly name: string
  /** All that this lab makes is in here; the transport may write to `stateDir` below it only. */
  readonly folder: string
  readonly stateDir: string
  readonly settings: Settings
  /** Everything that the transport said to the operator. */
  readonly said: string[] = []
  readonly clientWires: Tap[] = []
  readonly serverWires: Tap[] = []
  /** Aborted when the server's PT shuts down. */
  readonly shutdown: AbortController = new AbortController()
  target = ''
  /** The ARGS of the SMETHOD line, as a parent has read them. */
  smethodArgs: Args = Args.none
  readonly #transport: Transport
  readonly #wire: Wire
  readonly #crashes: unknown[] = []
  readonly #sockets = new Set<Socket>()
  readonly #streams = new Set<Duplex>()
  /** The addresses of clients, as the transport said them, in the order of the streams. */
  readonly userAddrs: (string | undefined)[] = []
  readonly #accepted: Promise<Duplex>[] = []
  readonly #awaited: ((stream: Promise<Duplex>) => void)[] = []
  readonly #closers: (() => Promise<void>)[] = []
  readonly #ends: (Client | Server)[] = []
  /** The number of calls of accept() that have not settled. */
  accepting = 0
  #client: Client | undefined

  constructor(transport: Transport, settings: Settings, wire: Wire, folder: string) {
    this.name = transport.name
    this.#transport = transport
    this.settings = settings
    this.#wire = wire
    this.folder = folder
    this.stateDir = join(folder, 'state')
  }

  readonly report: Report = {
    log: (severity, message) => void this.said.push(formatMessage({ type: 'log', severity, message })),
    status: (pairs) => void this.said.push(formatMessage(transportStatus(this.name, pairs))),
  }

  async launchServer(): Promise<Server> {
    const args = Args.from(this.settings.serverOptions)
    const given = { stateDir: this.stateDir, args, replays: replaysInMemory(), ...this.report }
    const deliver = (stream: Duplex, client: Pick<Accepted, 'userAddr'> = {}): void =>
      this.#outside(() => this.#came(Promise.resolve(this.#handedOver(stream, client.userAddr))))
    requireArguments(this.#transport, args, 'server')
    const server = await this.#inside(() => this.#transport.server({ ...given, deliver }))
    this.#ends.push(server)
    return server
  }

  async launchClient(): Promise<Client> {
    const given = { stateDir: this.stateDir, connect: this.connect, ...this.report }
    const client = await this.#inside(() => this.#transport.client(given))
    this.#ends.push(client)
    return client
  }

  /** Launches both sides and listens. What a client needs goes through the SMETHOD line, as it will in earnest. */
  async start(): Promise<void> {
    const server = await this.launchServer()
    this.#client = await this.launchClient()
    const address = await this.listen((socket) => {
      const wire = this.#tap(socket, this.#wire.server)
      this.serverWires.push(wire)
      this.#accept(server, wire)
    })
    this.target = address
    this.smethodArgs = this.smethodOf(server)
  }

  /** The ARGS that a parent reads from the SMETHOD line of `server`. */
  smethodOf(server: Server): Args {
    const address = { host: '127.0.0.1', port: 1 }
    const args = Args.from(server.args ?? Args.none)
    const line = formatMessage({ type: 'smethod', transport: this.name, address, args })
    const message = parseMessage(line.slice(0, -1))
    assert.ok(message.type === 'smethod')
    assert.deepEqual([...message.args], [...args], 'a parent reads other ARGS than the server gave')
    return message.args
  }

  /** Starts a loopback listener that ends with the lab, and returns its address. */
  async listen(onSocket: (socket: Socket) => void): Promise<string> {
    return await this.#outside(async () => {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        this.#keep(socket)
        onSocket(socket)
      })
      this.#closers.push(() => new Promise((resolve) => server.close(() => resolve())))
      return formatAddress(await listen(server, '127.0.0.1', 0))
    })
  }

  /** A plain connection to the server, for those who do not speak the transport. */
  raw(target: string = this.target): Socket {
    const port = Number(target.split(':').at(-1))
    const socket = this.#outside(() => connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true }))
    this.#keep(socket)
    return socket
  }

  readonly connect: Connect = async (target) => {
    const socket = this.raw(target)
    const wire = this.#tap(socket, this.#wire.client)
    this.clientWires.push(wire)
    return wire
  }

  /** The client's stream. */
  async dial(options: DialOptions = {}): Promise<Duplex> {
    const client = (this.#client ??= await this.launchClient())
    const session = {
      target: options.target ?? this.target,
      args: Args.from(options.args ?? [...this.smethodArgs, ...Args.from(this.settings.clientArgs)]),
      connect: options.connect ?? this.connect,
      signal: options.signal ?? never,
      ...this.report,
    }
    requireArguments(this.#transport, session.args, 'client')
    const stream = await this.#inside(() => client.dial(session))
    this.#streams.add(stream)
    return this.#asInPt(stream)
  }

  /** The next stream of the server, or why there is none. */
  next(): Promise<Duplex> {
    const accepted = this.#accepted.shift()
    const stream = accepted ?? new Promise<Duplex>((resolve) => this.#awaited.push(resolve))
    // Whether anybody waits for it is up to the case.
    stream.catch(() => {})
    return stream
  }

  /** A connection through the transport. Resolves with the client's side; the server's may need the first bytes. */
  async open(options?: DialOptions): Promise<{ near: Duplex; far: Promise<Duplex> }> {
    const far = this.next()
    return { near: await within(this.settings.patience, 'dial() has resolved', this.dial(options)), far }
  }

  /** Calls close() of all that was launched, as a PT does when it stops. */
  async close(): Promise<void> {
    const closing = this.#ends.splice(0).map(async (end) => await this.#inside(() => end.close?.()))
    await within(this.settings.patience, 'close() has settled', Promise.all(closing))
  }

  /** The connections and streams that the lab has handed to the transport or was handed. */
  get streams(): readonly Duplex[] {
    return [...this.#streams]
  }

  /** Everything that this lab opened on behalf of the transport is closed. */
  async expectClosed(): Promise<void> {
    const wires = [...this.clientWires, ...this.serverWires]
    await until(this.settings.patience, 'every connection is closed', () => wires.every((wire) => wire.destroyed))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.shutdown.abort(new Error('the PT shuts down'))
    await this.close().catch(() => {})
    for (const stream of this.#streams) stream.destroy()
    for (const wire of [...this.clientWires, ...this.serverWires]) wire.destroy()
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(this.#closers.map((close) => close()))
    // A transport may still be writing a ticket that came with the last bytes.
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
    const [crash] = this.#crashes
    assert.ok(crash === undefined, `an exception in a listener would end the PT: ${String(crash)}`)
  }

  /** What accept() comes to counts when it is there. A connection of a session comes to nothing by itself. */
  #accept(server: Server, conn: Tap): void {
    const session = { conn, signal: this.shutdown.signal, ...this.report }
    const accepting = (async () => await this.#inside(() => server.accept(session)))()
    this.accepting++
    accepting.then(
      (accepted) => {
        this.accepting--
        if (accepted === undefined) return
        const { stream, userAddr } = 'stream' in accepted ? accepted : { stream: accepted }
        this.#came(Promise.resolve(this.#handedOver(stream, userAddr)))
      },
      (error: unknown) => {
        this.accepting--
        conn.destroy()
        this.#came(Promise.reject(error))
      },
    )
  }

  #came(stream: Promise<Duplex>): void {
    stream.catch(() => {})
    const next = this.#awaited.shift()
    if (next === undefined) this.#accepted.push(stream)
    else next(stream)
  }

  #handedOver(stream: Duplex, userAddr?: string): Duplex {
    this.#streams.add(stream)
    this.userAddrs.push(userAddr)
    return this.#asInPt(stream)
  }

  #asInPt(stream: Duplex): Duplex {
    if (!this.settings.halfClose) endTogether(stream)
    return stream.on('error', () => {})
  }

  #tap(socket: Socket, options: Omit<TapOptions, 'onCrash'> = {}): Tap {
    return new Tap(socket, { ...options, onCrash: (error) => this.#crashes.push(error) })
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket))
  }

  #inside<T>(act: () => T): T {
    return this.#wire.watch === undefined ? act() : this.#wire.watch.inside(act)
  }

  #outside<T>(act: () => T): T {
    return this.#wire.watch === undefined ? act() : this.#wire.watch.outside(act)
  }
}

/** A lab that is not started: nothing is launched. */
export async function emptyLab(transport: Transport, settings: Settings, wire: Wire = {}): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-lab-'))
  const lab = new Lab(transport, settings, wire, folder)
  await mkdir(lab.stateDir, { mode: 0o700 })
  return lab
}

/** A lab with both sides running. */
export async function openLab(transport: Transport, settings: Settings, wire: Wire = {}): Promise<Lab> {
  const lab = await emptyLab(transport, settings, wire)
  try {
    await lab.start()
    return lab
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}
