/**
 * A TCP connection from the outbound bind address. Section "Client Environment Variables" and pt-spec 3.2.1.
 *
 * The system's errors are passed on without their address, which is a bridge's: `code` and `syscall` are what is left.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Address, OutboundBind } from '../ipc/index.ts'
import { isLoopback } from '../ipc/index.ts'
import type { Cancellation } from '../io/wait/cancellation.ts'
import type { ClosingLimit } from '../io/wait/deadline.ts'
import { closeAfter, orAborted } from '../io/wait/deadline.ts'
import { firstOf } from '../io/wait/race.ts'
import { silenceErrors } from '../io/ends.ts'
import type { TcpAttempt, TcpTarget } from '../io/tcp/tcp.ts'
import { openTcp } from '../io/tcp/tcp.ts'
import type { TcpConn } from '../io/tcp/channel.ts'

/**
 * Connects to an IP address, or to whichever address of a host name answers first. Rejects with the system's error
 * (`addressless`), with that of the first address if several were tried, or with the signal's reason.
 */
export async function connectTcp(target: Address, bind: OutboundBind, signal: AbortSignal): Promise<TcpConn> {
  const hosts = isIP(target.host) === 0 ? await resolveName(target.host, signal) : [target.host]
  const attempts = hosts.map((host) => (signal: AbortSignal) => connectIp({ host, port: target.port }, bind, signal))
  return await firstOf(attempts, signal)
}

/** Looks up all addresses of a name: in the resolver's order, the two families by turns. */
export async function resolveName(name: string, signal: Cancellation): Promise<string[]> {
  // A look-up cannot be stopped.
  const found = await orAborted(lookup(name, { all: true }), signal).catch((error: unknown) => {
    throw addressless(error)
  })
  const preferred = found.filter(({ family }) => family === found[0]?.family)
  const others = found.filter(({ family }) => family !== found[0]?.family)
  const turns = Array.from({ length: found.length }, (_, turn) => [preferred[turn], others[turn]])
  return turns.flat().flatMap((entry) => (entry === undefined ? [] : [entry.address]))
}

/** Connects to an IP address as connectTcp does; if `ms` is given, it rejects with PT_TIMEOUT after so many milliseconds. */
export function connectIp(
  { host, port }: Address,
  bind: OutboundBind,
  signal: Cancellation,
  ms?: number,
): Promise<TcpConn> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const localAddress = isLoopback(host) ? undefined : isIP(host) === 6 ? bind.v6 : bind.v4
    new Connecting(signal, resolve, reject).begin({ host, port, localAddress }, ms)
  })
}

class Connecting implements TcpAttempt {
  readonly #signal: Cancellation
  readonly #resolve: (conn: TcpConn) => void
  readonly #reject: (error: unknown) => void
  #abandon: (() => void) | undefined
  #limit: ClosingLimit | undefined

  constructor(signal: Cancellation, resolve: (conn: TcpConn) => void, reject: (error: unknown) => void) {
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
  }

  begin(target: TcpTarget, ms: number | undefined): void {
    this.#signal.addEventListener('abort', this)
    this.#abandon = openTcp(target, this)
    this.#limit = ms === undefined ? undefined : closeAfter(this, ms, 'the connection')
  }

  connected(conn: TcpConn): void {
    this.#settle()
    this.#resolve(silenceErrors(conn))
  }

  failed(error: Error): void {
    this.#settle()
    this.#reject(addressless(error))
  }

  /** Called when the signal aborts. */
  handleEvent(): void {
    this.destroy(this.#signal.reason as Error)
  }

  /** Called when the time is over. */
  destroy(error: Error): void {
    this.#abandon?.()
    this.#settle()
    this.#reject(error)
  }

  #settle(): void {
    this.#limit?.clear()
    this.#signal.removeEventListener('abort', this)
  }
}

/** Returns a system error as it may be shown: with the same `code`, `errno` and `syscall`, and without addresses and host names. */
export function addressless(error: unknown): unknown {
  const { code, errno, syscall } = error as NodeJS.ErrnoException
  if (typeof code !== 'string' || typeof syscall !== 'string') return error
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno, syscall })
}
