/**
 * TCP connections of a PT: TcpSocket where this Node shows what it is made of, and net.Socket elsewhere. Both allow
 * half-close, do without Nagle's delay, and ask after a silent peer.
 */
import type { Server, ServerOpts, Socket } from 'node:net'
import { connect, isIPv6 } from 'node:net'
import { keepAlive, keepAliveOptions, keepHandleAlive } from './keep-alive.ts'
import type { TcpBinding, TcpHandle } from './tcp-binding.ts'
import { tcpBinding } from './tcp-binding.ts'
import { systemError, TcpSocket } from './tcp-socket.ts'

export type TcpConn = Socket | TcpSocket

export interface TcpTarget {
  /** An IP address. */
  readonly host: string
  readonly port: number
  /** Where it comes from, where that is to be a certain one. */
  readonly localAddress?: string | undefined
}

/** Is told once which it is, unless the attempt has been abandoned. */
export interface TcpAttempt {
  connected(conn: TcpConn): void
  failed(error: Error): void
}

/** Connects; what it returns abandons the attempt, and closes what there is of it. */
export function openTcp(target: TcpTarget, attempt: TcpAttempt): () => void {
  const binding = tcpBinding()
  return binding === undefined ? openSocket(target, attempt) : openHandle(target, attempt, binding)
}

function openSocket(target: TcpTarget, attempt: TcpAttempt): () => void {
  const { host, port, localAddress } = target
  const options = { host, port, allowHalfOpen: true, noDelay: true }
  const socket = connect(localAddress === undefined ? options : { ...options, localAddress })
  const failed = (error: Error): void => attempt.failed(error)
  socket.on('error', failed).once('connect', () => {
    socket.off('error', failed)
    keepAlive(socket)
    attempt.connected(socket)
  })
  return () => void socket.destroy()
}

function openHandle(target: TcpTarget, attempt: TcpAttempt, binding: TcpBinding): () => void {
  const handle = new binding.TCP(binding.SOCKET)
  let over = false
  const abandon = (): void => {
    if (!over) handle.close()
    over = true
  }
  const fail = (code: number, syscall: string): void => {
    if (over) return
    abandon()
    attempt.failed(systemError(code, syscall))
  }
  const request = new binding.ConnectRequest()
  request.oncomplete = (code) => {
    if (code !== 0) return fail(code, 'connect')
    if (over) return
    over = true
    // Not earlier: libuv would open the socket with a time of its own.
    keepHandleAlive(handle)
    attempt.connected(new TcpSocket(handle, binding))
  }
  handle.setNoDelay(true)
  // Not before the caller has what this returns.
  const failLater = (code: number, syscall: string): void => queueMicrotask(() => fail(code, syscall))
  const { host, port, localAddress } = target
  const bound = localAddress === undefined ? 0 : bind(handle, localAddress)
  if (bound !== 0) failLater(bound, 'bind')
  else {
    const code = isIPv6(host) ? handle.connect6(request, host, port) : handle.connect(request, host, port)
    if (code !== 0) failLater(code, 'connect')
  }
  return abandon
}

function bind(handle: TcpHandle, address: string): number {
  return isIPv6(address) ? handle.bind6(address, 0, 0) : handle.bind(address, 0)
}

/** How a listener has to be made for acceptTcp(). */
export const listenerOptions: Readonly<ServerOpts> = { allowHalfOpen: true, noDelay: true, ...keepAliveOptions }

interface Listening {
  onconnection: (this: Listening, code: number, handle: TcpHandle | undefined) => void
}

/** What `listener` accepts from now on, if it listens already. */
export function acceptTcp(listener: Server, accepted: (conn: TcpConn) => void): void {
  listener.on('connection', (socket) => {
    keepAlive(socket)
    accepted(socket)
  })
  const binding = tcpBinding()
  const handle = (listener as unknown as { readonly _handle?: Partial<Listening> | null })._handle
  const other = handle?.onconnection
  if (binding === undefined || handle == null || other === undefined) return
  handle.onconnection = function (code, handle) {
    // Node makes an 'error' of it.
    if (code !== 0 || handle === undefined) return other.call(this, code, handle)
    handle.setNoDelay(true)
    keepHandleAlive(handle)
    accepted(new TcpSocket(handle, binding))
  }
}
