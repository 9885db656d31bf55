/** How connections end: at the deadline, by a signal, by the client, and after a failure reply. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { PtError } from '../../src/error.ts'
import { silenceErrors } from '../../src/io/ends.ts'
import { listen } from '../../src/io/tcp/listen.ts'
import type { SocksRequest } from '../../src/socks/index.ts'
import { acceptSocks } from '../../src/socks/index.ts'
import { converse, hex, openSockets } from './dialogue.ts'
import { timePasses } from '../support.ts'

const REQUEST5 = hex('05 01 00 05 01 00 01 7f000001 0050')
const REFUSED5 = hex('0500 0505 0001 00000000 0000')
const refusal = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })

/** A proxy that grants every request and echoes; failures go to `failed`. */
async function startProxy(handshakeTimeout: number, failed: (error: unknown) => void): Promise<number> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (conn) => {
    open.add(conn)
    acceptSocks(conn, { handshakeTimeout }).then((request) => {
      request.grant()
      conn.pipe(conn)
    }, failed)
  })
  onTestFinished(() => {
    for (const conn of open) conn.destroy()
    server.close()
  })
  return (await listen(server, '127.0.0.1', 0)).port
}

test('200 clients that send one byte and wait are cut at the deadline while others are served', async () => {
  const errors: unknown[] = []
  const port = await startProxy(2000, (error) => errors.push(error))
  const idle = Array.from({ length: 200 }, (_, index) => {
    const client = connect(port, '127.0.0.1')
    client.on('error', () => {}).resume()
    client.write(Uint8Array.of(index % 2 === 0 ? 5 : 4))
    return client
  })
  const allCut = Promise.all(idle.map((client) => once(client, 'close')))
  await Promise.all(idle.map((client) => once(client, 'connect')))
  const served = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const client = connect(port, '127.0.0.1')
      client.end(Buffer.concat([REQUEST5, hex('cafe')]))
      return (await buffer(client)).toString('hex')
    }),
  )
  expect(served).toEqual(Array(20).fill('050005000001000000000000cafe'))
  expect(idle.filter((client) => client.closed)).toEqual([])
  await allCut
  expect(errors).toHaveLength(200)
  for (const error of errors) expect(error).toMatchObject({ code: 'PT_TIMEOUT', message: /SOCKS handshake.* 2 s/ })
})

test('a client that sends one byte at a time gets no more time for it', async () => {
  const { client, server } = await openSockets()
  const drip = setInterval(() => client.write(Uint8Array.of(0x61)), 20)
  client.write(hex('04 01 0050 7f000001')) // and a user id that does not end
  await expect(acceptSocks(server, { handshakeTimeout: 200 })).rejects.toMatchObject({ code: 'PT_TIMEOUT' })
  clearInterval(drip)
  expect(server.destroyed).toBe(true)
})

test('a granted connection is not under the deadline any more', async () => {
  const { client, server } = await openSockets()
  client.write(REQUEST5)
  const request = await acceptSocks(server, { handshakeTimeout: 50 })
  await timePasses(100)
  request.grant()
  server.end()
  expect((await buffer(client)).length).toBe(12)
})

test('aborting ends the handshake with the reason, and the connection', async () => {
  const reason = new Error('shutting down')
  for (const controller of [new AbortController(), AbortSignal.abort(reason)]) {
    const { server } = await openSockets()
    const signal = 'signal' in controller ? controller.signal : controller
    const accepted = acceptSocks(server, { signal })
    if ('abort' in controller) controller.abort(reason)
    await expect(accepted).rejects.toBe(reason)
    expect(server.destroyed).toBe(true)
  }
})

test('a reset in the middle of the handshake is PT_CLOSED with the system error as its cause', async () => {
  const { client, server } = await openSockets()
  const accepted = acceptSocks(server)
  client.write(hex('05 01 00'))
  await once(client, 'readable')
  ;(client as Socket).resetAndDestroy()
  const error: unknown = await accepted.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(PtError)
  expect(error).toMatchObject({ code: 'PT_CLOSED', cause: { code: 'ECONNRESET' } })
})

test('a connection that is closed already is PT_CLOSED', async () => {
  const { server } = await openSockets()
  server.destroy()
  await expect(acceptSocks(server)).rejects.toMatchObject({ code: 'PT_CLOSED' })
})

test('a reset between request and reply harms nobody: grant and refuse do nothing', async () => {
  for (const answer of [
    (request: SocksRequest) => request.grant(),
    (request: SocksRequest) => request.refuse(refusal),
  ]) {
    const { client, server } = await openSockets()
    client.write(REQUEST5)
    const request = await acceptSocks(server)
    const closed = new Promise((resolve) => server.once('close', resolve))
    ;(client as Socket).resetAndDestroy()
    server.resume()
    await closed
    answer(request)
    expect(server.destroyed).toBe(true)
  }
})

test('the failure reply arrives although bytes of the client were never read', async () => {
  const { client, server } = await openSockets()
  client.write(Buffer.concat([REQUEST5, Buffer.alloc(1_000_000)]))
  const request = await acceptSocks(server)
  const closed = new Promise((resolve) => server.once('close', resolve))
  const lost: Error[] = []
  client.on('error', (error) => lost.push(error))
  request.refuse(refusal)
  // The client reads only after all it had to say is on its way.
  await new Promise((resolve) => client.end(resolve))
  expect(await buffer(client)).toEqual(REFUSED5)
  await closed
  expect(lost).toEqual([])
})

test('what a client sends ahead of the reply waits in bounded buffers', async () => {
  const { client, server } = await openSockets()
  client.write(REQUEST5)
  const request = await acceptSocks(server)
  client.write(Buffer.alloc(32 << 20))
  // Each turn would read another 64 KiB, were anything reading.
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(server.readableLength).toBeLessThan(256 << 10)
  request.refuse(refusal)
})

test('a refused client that never hangs up is cut in bounded time', async () => {
  const { client, server } = await openSockets()
  client.write(REQUEST5)
  const request = await acceptSocks(server)
  const started = Date.now()
  const received: Buffer[] = []
  client.on('data', (chunk: Buffer) => received.push(chunk))
  const closed = new Promise((resolve) => server.once('close', resolve))
  request.refuse(refusal)
  await once(client, 'end')
  expect(Buffer.concat(received)).toEqual(REFUSED5)
  expect(client.writable).toBe(true)
  await closed
  expect(Date.now() - started).toBeLessThan(5000)
})

test('a client that hangs up before the reply still gets it: its half-close is no close', async () => {
  const { received } = await converse(await openSockets(), [REQUEST5], {
    fin: true,
    answer: (request, conn) => {
      setImmediate(() => {
        request.grant()
        conn.end('late')
        conn.resume()
      })
    },
  })
  expect(received.toString('latin1').slice(-4)).toBe('late')
})

test('a finished handshake leaves no listener behind but those that stay with a stream for good', async () => {
  const { client, server } = await openSockets()
  silenceErrors(server)
  const listening = (): unknown[] => server.eventNames().map((name) => [name, server.listenerCount(name)])
  const before = listening()
  client.write(REQUEST5)
  const request = await acceptSocks(server)
  request.grant()
  expect(listening()).toEqual(before)
  expect(server.listenerCount('error')).toBe(1)
})
