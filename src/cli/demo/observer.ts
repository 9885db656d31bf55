/** An observer of the wire between PT client and PT server: it passes every byte on and keeps the first ones. */
import type { Socket } from 'node:net'
import { createServer, connect } from 'node:net'
import { listen } from '../../io/tcp/listen.ts'
import { relay } from '../../io/carry/relay.ts'
import type { Address } from '../../ipc/index.ts'

export interface Observer extends AsyncDisposable {
  /** The address to connect to instead of the server's. */
  readonly address: Address
  /** The first bytes that a client sent, at most as many as asked for. */
  readonly seen: () => Buffer
  /** The first bytes that came back. */
  readonly answered: () => Buffer
}

export async function observe(server: Address, limit: number): Promise<Observer> {
  let [seen, answered] = [Buffer.alloc(0), Buffer.alloc(0)]
  const open = new Set<Socket>()
  const listener = createServer({ allowHalfOpen: true }, (conn) => {
    open.add(conn.once('close', () => open.delete(conn)))
    conn.on('data', (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk.subarray(0, limit - seen.length)])
    })
    const far = connect({ ...server, allowHalfOpen: true })
    far.on('data', (chunk: Buffer) => {
      answered = Buffer.concat([answered, chunk.subarray(0, limit - answered.length)])
    })
    relay(conn, far, { halfOpen: true }).catch(() => undefined)
  })
  const address = await listen(listener, '127.0.0.1', 0)
  return {
    address,
    seen: () => seen,
    answered: () => answered,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        listener.close(() => resolve())
        for (const conn of open) conn.destroy()
      }),
  }
}
