/**
 * Stops a listener from accepting, and lets it go on later. Connections that come in the meantime wait in the kernel's queue, as
 * they do for every busy program. Nothing is closed.
 *
 * libuv has no call for it. When a process is out of descriptors, libuv accepts and closes all connections that wait
 * (`uv__emfile_trick`), which no other program does, so we have to stop before that. libuv watches a listening handle with the
 * same watcher as a stream that is read, and reading can be stopped on a handle that is marked as readable. connect() on a
 * listening handle fails with EISCONN, and leaves that mark. This was tried on Node 20, 22, 24 and 26.
 */
import type { Server } from 'node:net'
import type { TcpHandle } from './tcp-binding.ts'
import { tcpBinding } from './tcp-binding.ts'

/** A way to stop a listener from accepting, and to let it go on. */
export interface AcceptGate {
  /** The listener accepts no more. */
  shut(): void
  /** The listener accepts again, first the connections that wait. */
  open(): void
}

/** Makes the gate of a listener that listens already; undefined if this Node or this system has no means for it. */
export function acceptGate(listener: Server): AcceptGate | undefined {
  const binding = process.platform === 'win32' ? undefined : tcpBinding()
  const handle = handleOf(listener)
  if (binding === undefined || handle === undefined) return undefined
  const refused = handle.connect(new binding.ConnectRequest(), '127.0.0.1', 1)
  // From here on libuv takes the handle for one that reads: readStop() ends that and readStart() begins it again.
  if (refused === 0 || handle.readStart() !== 0) return undefined
  return {
    shut: () => void handleOf(listener)?.readStop(),
    open: () => void handleOf(listener)?.readStart(),
  }
}

/** The handle of a listener; undefined once the listener is closed. */
function handleOf(listener: Server): TcpHandle | undefined {
  const { _handle: handle } = listener as unknown as { readonly _handle?: Partial<TcpHandle> | null }
  return typeof handle?.connect === 'function' ? (handle as TcpHandle) : undefined
}
