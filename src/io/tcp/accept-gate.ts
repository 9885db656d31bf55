/**
 * Stops a listener from accepting, and lets it go on. Connections that come in the meantime wait in the kernel's queue, as
 * they do for every program that is busy; nothing is closed.
 *
 * libuv has no call for it. When a process is out of descriptors, libuv accepts and closes all that waits
 * (`uv__emfile_trick`), which no other program does; so we have to stop before. A listening handle is watched for reading by
 * the same watcher as a stream, and reading may be stopped on a handle that is marked as readable. connect() on a handle that
 * listens fails with EISCONN, and leaves that mark. Tried on Node 20, 22, 24 and 26.
 */
import type { Server } from 'node:net'
import type { TcpHandle } from './tcp-binding.ts'
import { tcpBinding } from './tcp-binding.ts'

export interface AcceptGate {
  /** Accepts no more. */
  shut(): void
  /** Accepts again, what waits first. */
  open(): void
}

/** The gate of a listener that listens already; undefined where this Node or this system has none. */
export function acceptGate(listener: Server): AcceptGate | undefined {
  const binding = process.platform === 'win32' ? undefined : tcpBinding()
  const handle = handleOf(listener)
  if (binding === undefined || handle === undefined) return undefined
  const refused = handle.connect(new binding.ConnectRequest(), '127.0.0.1', 1)
  // From here on the handle counts as one that reads, which readStop() can end and readStart() begins again.
  if (refused === 0 || handle.readStart() !== 0) return undefined
  return {
    shut: () => void handleOf(listener)?.readStop(),
    open: () => void handleOf(listener)?.readStart(),
  }
}

/** Undefined once the listener is closed. */
function handleOf(listener: Server): TcpHandle | undefined {
  const { _handle: handle } = listener as unknown as { readonly _handle?: Partial<TcpHandle> | null }
  return typeof handle?.connect === 'function' ? (handle as TcpHandle) : undefined
}
