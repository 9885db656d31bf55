/** The option likePt: dials in this process show an observer what a PT shows. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { expect, test, vi } from 'vitest'
import { openBridge } from '../../src/index.ts'
import type { Client, Rehearsal, Transport } from '../../src/transport.ts'
import { plain } from '../pt/support.ts'
import { echoed, failureOf } from '../support.ts'
import { serve, serveEcho } from './bridges.ts'

/** A server that says nothing, the connections to it, and a line of obfs4 that leads there. */
async function startSilent(): Promise<{ line: string; conns: Socket[] }> {
  const conns: Socket[] = []
  const port = await serve(createServer({ allowHalfOpen: true }, (conn) => void conns.push(conn.resume())))
  const cert = Buffer.alloc(52, 7).toString('base64').replace(/=+$/, '')
  return { line: `obfs4 127.0.0.1:${port} cert=${cert} iat-mode=0`, conns }
}

/** Dials, gives up as soon as the server has the hello, and returns the connection as the server sees it. */
async function giveUp(bridge: Awaited<ReturnType<typeof openBridge>>, conns: Socket[]): Promise<Socket> {
  const giving = new AbortController()
  const before = conns.length
  const dialled = failureOf(bridge.connect({ signal: giving.signal }))
  await vi.waitUntil(() => conns.length > before)
  const conn = conns[before]!
  if (conn.bytesRead === 0) await once(conn, 'data')
  giving.abort(new Error('given up'))
  expect(await dialled).toMatchObject({ message: 'given up' })
  return conn
}

test('with likePt a dial of obfs4 that is given up stays open, as in a PT, and closes with the bridge', async () => {
  const { line, conns } = await startSilent()
  const bridge = await openBridge(line, { likePt: true })
  const first = await giveUp(bridge, conns)
  // If the first connection had been closed, its end would have come before the second one.
  await giveUp(bridge, conns)
  expect(first.readableEnded).toBe(false)
  const ended = once(first, 'end')
  await bridge.close()
  await ended
})

test('without likePt a dial that is given up is closed at once', async () => {
  const { line, conns } = await startSilent()
  await using bridge = await openBridge(line)
  const conn = await giveUp(bridge, conns)
  if (!conn.readableEnded) await once(conn, 'end')
  expect(conn.bytesRead).toBeGreaterThan(0)
})

test.each([
  [true, 2],
  [false, 0],
])('likePt %s: there are %i handshakes of the process with itself before the first dial', async (likePt, rounds) => {
  let rehearsed = 0
  const client: Client = {
    async dial({ target, connect, signal }) {
      rehearsed++
      return await connect(target, signal)
    },
  }
  const rehearsal = (): Rehearsal => ({ client, server: { accept: ({ conn }) => Promise.resolve(conn) } })
  const transport: Transport = { ...plain(), rehearsal }
  await using bridge = await openBridge(`plain 127.0.0.1:${await serveEcho()}`, { transports: [transport], likePt })
  await vi.waitUntil(() => rehearsed === rounds)
  expect(await echoed(await bridge.connect(), 'hello')).toBe('hello')
  expect(rehearsed).toBe(rounds)
})
