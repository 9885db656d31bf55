/** Pairs of connected streams for the tests of io/, and small things to do with them. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { finished } from 'node:stream/promises'
import { onTestFinished } from 'vitest'
import { startHandshakeReads } from '../../src/io/tcp/handshake-reader.ts'
import { listen } from '../../src/io/tcp/listen.ts'
import { acceptTcp, listenerOptions, openTcp } from '../../src/io/tcp/tcp.ts'
import type { TcpConn } from '../../src/io/tcp/channel.ts'

/** Two ends of a real TCP connection on loopback that both allow half-close; gone when the test has finished. */
export async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  await listen(server, '127.0.0.1', 0)
  const { port } = server.address() as AddressInfo
  const client = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], unknown]
  server.close()
  return [untilFinished(client), untilFinished(accepted)]
}

/** Two ends of what a PT opens and accepts. */
export async function tcpPair(): Promise<[TcpConn, TcpConn]> {
  const server = createServer(listenerOptions)
  const { port } = await listen(server, '127.0.0.1', 0)
  const accepted = new Promise<TcpConn>((resolve) => acceptTcp(server, resolve))
  const client = new Promise<TcpConn>((connected, failed) =>
    openTcp({ host: '127.0.0.1', port }, { connected, failed }),
  )
  const pair: [TcpConn, TcpConn] = [untilFinished(await client), untilFinished(await accepted)]
  server.close()
  return pair
}

/** Its errors are nobody's, and it is gone when the test has finished. */
export function untilFinished<Stream extends Duplex>(stream: Stream): Stream {
  onTestFinished(() => void stream.destroy())
  return stream.on('error', () => {})
}

/** The same pairs, with the reads of a handshake. */
function inHandshake(make: () => Promise<[Duplex, Duplex]>): () => Promise<[Duplex, Duplex]> {
  return async () => {
    const pair = await make()
    for (const stream of pair) startHandshakeReads(stream)
    return pair
  }
}

/** Every kind of pair that the readers and adapters are tried on. */
export const pairs: readonly (readonly [name: string, make: () => Promise<[Duplex, Duplex]>])[] = [
  ['a TCP connection', socketPair],
  ['a TCP connection in its handshake', inHandshake(socketPair)],
  ['a TCP connection of a PT', tcpPair],
  ['a TCP connection of a PT in its handshake', inHandshake(tcpPair)],
  ['a pair in memory', async () => duplexPair({ allowHalfOpen: true })],
]

/** Resolves once everything that is ready to happen has happened. */
export async function settle(turns = 4): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** How many round trips in a row have to pass without a change. */
const QUIET_TRIPS = 4

/**
 * Resolves once `watched` has nothing new to show: it stays the same while a byte goes there and back several times, on a connection
 * of its own through the same kernel and the same loop. What was under way when the byte left has arrived by then.
 */
export async function untilStill(watched: () => unknown): Promise<void> {
  const [near, far] = await socketPair()
  far.pipe(far)
  let seen = JSON.stringify(watched())
  for (let quiet = 0; quiet < QUIET_TRIPS; quiet++) {
    near.write('?')
    await once(near, 'data')
    await settle()
    const now = JSON.stringify(watched())
    if (now !== seen) quiet = -1
    seen = now
  }
  near.destroy()
}

/** What arrives until the stream ends; its other direction stays open. */
export async function drain(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await finished(stream, { writable: false })
  return Buffer.concat(chunks)
}

/** How the other end of `conn` has closed it. A write fails after a reset, which libuv may take for an end, and not after a FIN. */
export function endOf(conn: Duplex): Promise<'FIN' | 'RST'> {
  return new Promise((resolve) => {
    conn.once('end', () => conn.write('x', (error) => resolve(error == null ? 'FIN' : 'RST')))
    conn.once('error', () => resolve('RST')).resume()
  })
}

/** How many listeners a stream has in all. */
export function listeners(stream: Duplex): number {
  return stream.eventNames().reduce((sum, name) => sum + stream.listenerCount(name), 0)
}
