/**
 * Writing to a socket past the stream's queue: most writes are taken by the system at once, and a stream does as much about each as the
 * system does for a small one.
 */
import type { SharedSocket } from './shared-reads.ts'
import { TcpSocket } from './tcp-socket.ts'

/**
 * True where the system took all, or never will, as the socket fails. False where something waits: `bytes` may not be changed then until
 * `taken` is called, when nothing of them waits any more; it may never be, where the socket closes.
 */
export function writeNow(socket: SharedSocket, bytes: Uint8Array, taken: () => void): boolean {
  if (socket instanceof TcpSocket) return socket.writeNow(bytes, taken)
  let waits = false
  socket.write(bytes, () => {
    if (waits) taken()
  })
  waits = socket.writableLength > 0
  return !waits
}
