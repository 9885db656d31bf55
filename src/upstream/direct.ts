/**
 * A TCP connection from the outbound bind address. Section "Client Environment Variables" and pt-spec 3.2.1.
 *
 * The system's errors are passed on without their address, which is a bridge's: `code` and `syscall` are what is left.
 */
import { lookup } from 'node:dns/promises'
import type { Socket } from 'node:net'
import { connect, isIP } from 'node:net'
import type { Address, OutboundBind } from '../ipc/index.ts'
import { isLoopback } from '../ipc/index.ts'
import type { ClosingLimit, EndWatcher } from '../io/index.ts'
import { closeAfter, firstOf, orAborted, unwatchEnds, watchEnds } from '../io/index.ts'

/**
 * Connects to an IP address, or to whichever address of a host name answers first. Rejects with the system's error
 * (`addressless`), where several addresses were tried with the first one's, or with the signal's reason.
 */
export async function connectTcp(target: Address, bind: OutboundBind, signal: AbortSignal): Promise<Socket> {
  const hosts = isIP(target.host) === 0 ? await resolve(target.host, signal) : [target.host]
  const attempts = hosts.map((host) => (signal: AbortSignal) => connectIp({ host, port: target.port }, bind, signal))
  return await firstOf(attempts, signal)
}

/** All addresses of a name in the resolver's order, the two families by turns. */
async function resolve(name: string, signal: AbortSignal): Promise<string[]> {
  // A look-up cannot be stopped.
  const found = await orAborted(lookup(name, { all: true }), signal).catch((error: unknown) => {
    throw addressless(error)
  })
  const preferred = found.filter(({ family }) => family === found[0]?.family)
  const others = found.filter(({ family }) => family !== found[0]?.family)
  const turns = Array.from({ length: found.length }, (_, turn) => [preferred[turn], others[turn]])
  return turns.flat().flatMap((entry) => (entry === undefined ? [] : [entry.address]))
}

/** The same for an IP address; where `ms` is given, it rejects with PT_TIMEOUT after so many milliseconds. */
export function connectIp(
  { host, port }: Address,
  bind: OutboundBind,
  signal: AbortSignal,
  ms?: number,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    const source = isLoopback(host) ? undefined : isIP(host) === 6 ? bind.v6 : bind.v4
    const options = { host, port, allowHalfOpen: true, noDelay: true }
    const socket = connect(source === undefined ? options : { ...options, localAddress: source })
    const limit = ms === undefined ? undefined : closeAfter(socket, ms, 'the connection')
    new Connecting(socket, signal, limit, resolve, reject).begin()
  })
}

class Connecting implements EndWatcher {
  readonly #socket: Socket
  readonly #signal: AbortSignal
  readonly #limit: ClosingLimit | undefined
  readonly #resolve: (socket: Socket) => void
  readonly #reject: (error: unknown) => void

  constructor(
    socket: Socket,
    signal: AbortSignal,
    limit: ClosingLimit | undefined,
    resolve: (socket: Socket) => void,
    reject: (error: unknown) => void,
  ) {
    this.#socket = socket
    this.#signal = signal
    this.#limit = limit
    this.#resolve = resolve
    this.#reject = reject
  }

  begin(): void {
    this.#signal.addEventListener('abort', this)
    watchEnds(this.#socket, this)
    this.#socket.once('connect', () => this.#connected())
  }

  #connected(): void {
    this.#settle()
    this.#resolve(this.#socket)
  }

  onError(error: Error): void {
    this.#settle()
    this.#reject(addressless(error))
  }

  /** Of the signal. */
  handleEvent(): void {
    this.#settle()
    this.#socket.destroy()
    this.#reject(this.#signal.reason)
  }

  #settle(): void {
    this.#limit?.clear()
    unwatchEnds(this.#socket, this)
    this.#signal.removeEventListener('abort', this)
  }
}

/** A system error as it may be shown: the same `code`, `errno` and `syscall`, and no address nor host name. */
export function addressless(error: unknown): unknown {
  const { code, errno, syscall } = error as NodeJS.ErrnoException
  if (typeof code !== 'string' || typeof syscall !== 'string') return error
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno, syscall })
}
