/**
 * What a probe of a PT works with: launches in a fresh folder each, listeners and connections, all gone when it ends.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Address, Environment } from '../../ipc/index.ts'
import { formatAddress, parseAddress } from '../../ipc/index.ts'
import { Lab } from '../lab/lab.ts'
import type { Launched } from '../lab/launch.ts'
import { requireLine } from '../lab/launch.ts'
import type { Step } from '../verdict.ts'
import { cannotTell } from '../probe.ts'
import type { SocksOptions, SocksOutcome } from './socks.ts'
import { socks4, socks5 } from './socks.ts'
import type { Subject } from './subject.ts'
import type { Role } from '../verdict.ts'
import type { Listener, Wire } from '../lab/wire.ts'

export interface Folders {
  /** All that a launch is given is in here. */
  readonly folder: string
  readonly stateDir: string
  /** Working directory, HOME and TMPDIR. */
  readonly home: string
}

/** A client method that was announced. */
export interface ClientMethod {
  readonly protocol: 'socks4' | 'socks5'
  readonly address: Address
}

/** A connection through a client. */
export interface Dialled extends SocksOutcome {
  readonly wire: Wire
}

export class PtLab extends Lab<PtLab> {
  readonly subject: Subject

  constructor(subject: Subject) {
    super(subject)
    this.subject = subject
  }

  protected another(): PtLab {
    return new PtLab(this.subject)
  }

  get patience(): number {
    return this.subject.patience
  }

  /** The transport of a role. */
  transport(role: Role): string {
    return this.subject.transports[role] ?? cannotTell(`there is no ${role} to go with it`)
  }

  async folders(): Promise<Folders> {
    const folder = await this.folder()
    const [stateDir, home] = [join(folder, 'state'), join(folder, 'home')]
    await mkdir(stateDir, { mode: 0o700 })
    await mkdir(home, { mode: 0o700 })
    return { folder, stateDir, home }
  }

  /**
   * Starts the program in `role`; `changes` go into the plain environment; undefined leaves a variable out. `before` are
   * words in front of its command: another program that starts it.
   */
  async launch(
    role: Role,
    changes: Environment = {},
    folders?: Folders,
    before: readonly string[] = [],
  ): Promise<Launched> {
    const { stateDir, home } = folders ?? (await this.folders())
    const plain = role === 'client' ? this.#clientEnvironment() : this.#serverEnvironment()
    const all = { ...this.subject.env, HOME: home, TMPDIR: home, TOR_PT_STATE_LOCATION: stateDir, ...plain, ...changes }
    const env = Object.fromEntries(
      Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
    )
    const pt = this.start({
      command: [...before, ...this.command(role)],
      env,
      cwd: home,
      sent: describe(role, changes),
    })
    this.subject.launches.push({ role, pt })
    return pt
  }

  command(role: Role): readonly string[] {
    return this.subject.commands[role] ?? cannotTell(`there is no ${role} to go with it`)
  }

  /** Notes what a launch has shown; `holds` says whether it was as expected. */
  judge(holds: boolean, pt: Launched, expected: string, more: Partial<Step> = {}): void {
    if (pt.unstarted) cannotTell(`it could not be started: ${pt.exit}`)
    // Silence is no answer: neither that something is broken, as the machine may be slow, nor that it is kept.
    if (pt.exit === undefined && pt.lines.length === 0) cannotTell('it has said nothing in time, and not ended')
    const sent = more.sent === undefined ? pt.sent : `${pt.sent}\n${more.sent}`
    this.expect(holds, { sent, expected, seen: more.seen ?? pt.seen })
  }

  /** Starts a client and waits until it has said where it listens. */
  async client(changes: Environment = {}, folders?: Folders): Promise<Launched & { readonly method: ClientMethod }> {
    const pt = await this.launch('client', changes, folders)
    const line = await requireLine(pt, new RegExp(`^CMETHOD +${this.transport('client')} `), this.patience)
    await pt.settled(this.patience)
    const [, protocol, address] = / (socks[45]) +(\S+)/.exec(line) ?? []
    if (address === undefined) cannotTell(`its CMETHOD cannot be read: ${line}`)
    return Object.assign(pt, { method: { protocol: protocol as 'socks4' | 'socks5', address: addressOf(address) } })
  }

  /** Starts a server and waits until it has said where it listens, with its ARGS as the arguments of a client. */
  async server(changes: Environment = {}, folders?: Folders): Promise<Launched & ServerMethod> {
    const pt = await this.launch('server', changes, folders)
    const line = await requireLine(pt, new RegExp(`^SMETHOD +${this.transport('server')} `), this.patience)
    await pt.settled(this.patience)
    const address = addressOf(/^SMETHOD +\S+ +(\S+)/.exec(line)?.[1] ?? '')
    const args = / ARGS:(\S+)/.exec(line)?.[1] ?? ''
    return Object.assign(pt, { method: { address: reachable(address), args: clientArgs(args) } })
  }

  /** Starts an application that sends back what it gets, and ends when its client does. */
  async echo(): Promise<Listener> {
    return await this.listen(({ socket }) => void socket.pipe(socket))
  }

  /** Opens a way to `target` on an address of its own; undefined leads nowhere. `onward` holds the connections that it made. */
  async way(target: Address | undefined, from: { localAddress?: string; host?: string } = {}): Promise<Way> {
    const onward: Wire[] = []
    const lead = async (wire: Wire): Promise<void> => {
      const next = target === undefined ? undefined : await this.lead(wire, target, from.localAddress)
      if (next !== undefined) onward.push(next)
    }
    const listener = await this.listen((wire) => void lead(wire), from.host)
    return { listener, onward }
  }

  /** Joins a connection with one to `target`, which is the result; if no program accepts there, it is broken. */
  async lead(wire: Wire, target: Address, localAddress?: string): Promise<Wire | undefined> {
    const next = await this.open(target, localAddress)
    if (next === undefined) return void wire.socket.destroy()
    wire.passTo(next)
    next.passTo(wire)
    return next
  }

  /** Asks a client for `target`, in the protocol that it announced. */
  async dial(
    client: { method: ClientMethod },
    target: Address,
    args: string,
    options: SocksOptions = {},
  ): Promise<Dialled> {
    const { protocol, address } = client.method
    const wire = await this.open(address)
    if (wire === undefined) cannotTell(`no program accepts at ${formatAddress(address)}`)
    const ask = protocol === 'socks4' ? socks4 : socks5
    return { wire, ...(await ask(wire, target, args, { patience: this.patience, ...options })) }
  }

  /** Starts client and server against each other, and an application behind the server. */
  async pair(serverChanges: Environment = {}, clientChanges: Environment = {}): Promise<Pair> {
    if (this.subject.commands.server === undefined) cannotTell('there is no server for the client to reach')
    if (this.subject.commands.client === undefined) cannotTell('there is no client to put in front of the server')
    const app = await this.echo()
    const [server, client] = await Promise.all([
      this.server({ TOR_PT_ORPORT: formatAddress(app.address), ...serverChanges }),
      this.client(clientChanges),
    ])
    return { app, server, client, args: joined(server.method.args, this.subject.args) }
  }

  #clientEnvironment(): Environment {
    return { TOR_PT_MANAGED_TRANSPORT_VER: '1', TOR_PT_CLIENT_TRANSPORTS: this.transport('client') }
  }

  #serverEnvironment(): Environment {
    const name = this.transport('server')
    return {
      TOR_PT_MANAGED_TRANSPORT_VER: '1',
      TOR_PT_SERVER_TRANSPORTS: name,
      TOR_PT_SERVER_BINDADDR: `${name}-127.0.0.1:0`,
      TOR_PT_ORPORT: '127.0.0.1:9',
      ...transportOptions([name], this.subject.options),
    }
  }
}

export interface Way {
  readonly listener: Listener
  readonly onward: readonly Wire[]
}

export interface ServerMethod {
  readonly method: { readonly address: Address; readonly args: string }
}

export interface Pair {
  readonly app: Listener
  readonly server: Launched & ServerMethod
  readonly client: Launched & { readonly method: ClientMethod }
  /** What the client needs in order to reach the server. */
  readonly args: string
}

/** Joins lists of arguments. */
export function joined(...lists: readonly string[]): string {
  return lists.filter((list) => list !== '').join(';')
}

/** Makes the variable that gives `options`, `k=v;k=v`, to each of the transports; empty without any. */
export function transportOptions(names: readonly string[], options: string): Environment {
  const pairs = options.match(/(?:\\.|[^\\;])+/g) ?? []
  const all = names.flatMap((name) => pairs.map((pair) => `${name}:${pair}`))
  return all.length === 0 ? {} : { TOR_PT_SERVER_TRANSPORT_OPTIONS: all.join(';') }
}

function describe(role: Role, changes: Environment): string {
  const lines = Object.entries(changes).map(([name, value]) =>
    value === undefined ? `${name} unset` : `${name}=${value}`,
  )
  return lines.length === 0 ? `the environment of a ${role}` : `the environment of a ${role}, and\n${lines.join('\n')}`
}

function addressOf(text: string): Address {
  try {
    return parseAddress(text)
  } catch {
    return cannotTell(`it announced an address that cannot be read: ${text}`)
  }
}

/** Returns an address at which a server that listens on every address is reached. */
function reachable({ host, port }: Address): Address {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port }
  return host === '::' ? { host: '::1', port } : { host, port }
}

/** Turns ARGS of SMETHOD into a client's list: commas separate there, semicolons here. */
function clientArgs(list: string): string {
  const pairs = list.match(/(?:\\.|[^\\,])+/g) ?? []
  return pairs.map((pair) => pair.replace(/\\,/g, ',').replace(/;/g, '\\;')).join(';')
}
