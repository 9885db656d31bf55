/** Closing with a reset, also while an end is on its way. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { closeWithReset } from '../../src/io/tcp/close.ts'

async function connected(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const far = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  const [near] = (await once(server, 'connection')) as [Socket]
  for (const socket of [near, far]) {
    socket.on('error', () => undefined)
    onTestFinished(() => void socket.destroy())
  }
  return { near, far }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

test('a connection without an end on its way is reset', async () => {
  const { near, far } = await connected()
  const failed = new Promise((resolve) => far.once('error', resolve))
  far.resume()
  closeWithReset(near)
  await closed(near)
  expect(await failed).toMatchObject({ code: 'ECONNRESET' })
})

test('a connection whose end is on its way is closed all the same, and the reader is not left waiting', async () => {
  const { near, far } = await connected()
  const both = [closed(near), closed(far)]
  far.resume().once('end', () => far.end())
  near.end('the last words')
  closeWithReset(near)
  await Promise.all(both)
  expect(near.destroyed).toBe(true)
})
