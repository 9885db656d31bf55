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
import { closeAfter, firstOf, hearErrors, orAborted } from '../io/index.ts'

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
    const localAddress = source === undefined ? {} : { localAddress: source }
    const socket = connect({ host, port, ...localAddress, allowHalfOpen: true, noDelay: true })
    const limit = ms === undefined ? undefined : closeAfter(socket, ms, 'the connection')
    const settle = (act: () => void): void => {
      limit?.[Symbol.dispose]()
      hearErrors(socket).off('connect', connected).off('error', failed)
      signal.removeEventListener('abort', abort)
      act()
    }
    const connected = (): void => settle(() => resolve(socket))
    const failed = (error: Error): void => settle(() => reject(addressless(error)))
    const abort = (): void => {
      socket.destroy()
      settle(() => reject(signal.reason as Error))
    }
    signal.addEventListener('abort', abort)
    socket.on('connect', connected).on('error', failed)
  })
}

/** A system error as it may be shown: the same `code`, `errno` and `syscall`, and no address nor host name. */
export function addressless(error: unknown): unknown {
  const { code, errno, syscall } = error as NodeJS.ErrnoException
  if (typeof code !== 'string' || typeof syscall !== 'string') return error
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno, syscall })
}
