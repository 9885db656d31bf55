/** TCP servers on loopback that are gone with their test: what connects is recorded. */
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { listen } from 'postern/io'
import { onTestFinished } from 'vitest'

export interface LoopbackServer {
  readonly port: number
  /** The source address of every connection that was ever accepted. */
  readonly accepted: string[]
  /** Resolves once the other side has closed every one of them; what they still sent is thrown away. */
  allClosed(): Promise<void>
}

/** Listens on `host` (by default 127.0.0.1) until the test has finished. */
export async function serve(handle: (conn: Socket) => unknown, host = '127.0.0.1'): Promise<LoopbackServer> {
  const open = new Map<Socket, Promise<unknown>>()
  const accepted: string[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (conn) => {
    accepted.push(conn.remoteAddress ?? '')
    const left = new Promise((resolve) => conn.once('end', resolve).once('close', resolve))
    open.set(conn, left)
    conn.on('error', () => undefined)
    handle(conn)
  })
  const { port } = await listen(server, host, 0)
  onTestFinished(() => {
    for (const conn of open.keys()) conn.destroy()
    server.close()
  })
  const allClosed = async (): Promise<void> => {
    for (const conn of open.keys()) conn.removeAllListeners('readable').resume()
    await Promise.all(open.values())
  }
  return { port, accepted, allClosed }
}

export function echo(conn: Socket): void {
  conn.pipe(conn)
}
