/**
 * TCP connections of a PT: they are TcpSocket if this Node shows handles (tcp-binding.ts), and net.Socket otherwise. Both allow
 * half-close, have no Nagle's delay, and send keep-alives.
 */
import type { Server, ServerOpts } from 'node:net'
import { connect } from 'node:net'
import type { TcpConn } from './channel.ts'
import { keepAlive, keepAliveOptions, keepHandleAlive } from './keep-alive.ts'
import type { TcpBinding, TcpHandle } from './tcp-binding.ts'
import { tcpBinding } from './tcp-binding.ts'
import { systemError, TcpSocket } from './tcp-socket.ts'

/** The address that openTcp connects to. */
export interface TcpTarget {
  /** An IP address. */
  readonly host: string
  readonly port: number
  /** The source address, if it has to be a certain one. */
  readonly localAddress?: string | undefined
}

/** One of the two is called, once, unless the attempt has been abandoned. */
export interface TcpAttempt {
  connected(conn: TcpConn): void
  failed(error: Error): void
}

/** Connects. The function that it returns abandons the attempt, and closes what there is of it. */
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
    // If this were done earlier, libuv would set a time of its own when it opens the socket.
    keepHandleAlive(handle)
    attempt.connected(new TcpSocket(handle, binding))
  }
  handle.setNoDelay(true)
  // The caller must have the function that this returns before it hears of the failure.
  const failLater = (code: number, syscall: string): void => queueMicrotask(() => fail(code, syscall))
  const { host, port, localAddress } = target
  const bound = localAddress === undefined ? 0 : bind(handle, localAddress)
  if (bound !== 0) failLater(bound, 'bind')
  else {
    const code = isV6(host) ? handle.connect6(request, host, port) : handle.connect(request, host, port)
    if (code !== 0) failLater(code, 'connect')
  }
  return abandon
}

function bind(handle: TcpHandle, address: string): number {
  return isV6(address) ? handle.bind6(address, 0, 0) : handle.bind(address, 0)
}

/** For what is known to be an IP address. isIPv6() of Node 20 compiles its expression first, and costs 10 µs each time. */
function isV6(address: string): boolean {
  return address.includes(':')
}

/** The options with which a listener for acceptTcp() has to be made. */
export const listenerOptions: Readonly<ServerOpts> = { allowHalfOpen: true, noDelay: true, ...keepAliveOptions }

interface Listening {
  onconnection: (this: Listening, code: number, handle: TcpHandle | undefined) => void
}

/** Gives `accepted` each connection that `listener` accepts from now on. The listener has to listen already. */
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
    // Node emits an 'error' for it.
    if (code !== 0 || handle === undefined) return other.call(this, code, handle)
    handle.setNoDelay(true)
    keepHandleAlive(handle)
    accepted(new TcpSocket(handle, binding))
  }
}
