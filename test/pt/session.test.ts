import { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { Handshake } from '../../src/pt/session.ts'

it('a stream of a transport that heard errors until now ends no process by one later on', async () => {
  const stream = new PassThrough()
  const heard = (): void => undefined
  stream.on('error', heard)
  const handshake = new Handshake(new Socket(), 60_000, 'the handshake', false)
  expect(await handshake.until(() => Promise.resolve(stream))).toBe(stream)
  stream.off('error', heard)
  const closed = new Promise((resolve) => stream.once('close', resolve))
  stream.destroy(new Error('reset'))
  await closed
  handshake.over()
})

it('a stream that comes too late is destroyed, and its errors end no process', async () => {
  const conn = new Socket()
  const handshake = new Handshake(conn, 60_000, 'the handshake', false)
  const late = new PassThrough()
  const closed = new Promise((resolve) => late.once('close', resolve))
  let arrive: ((stream: PassThrough) => void) | undefined
  const waiting = handshake.until(() => new Promise((resolve) => (arrive = resolve)))
  conn.destroy()
  await expect(waiting).rejects.toMatchObject({ code: 'PT_CLOSED' })
  arrive?.(late)
  await closed
  late.emit('error', new Error('reset'))
  handshake.over()
})

it('a throw of a transport rejects, and so does what is no stream', async () => {
  const handshake = new Handshake(new Socket(), 60_000, 'the handshake', false)
  const failing = (): never => {
    throw new Error('a mistake')
  }
  await expect(handshake.until(failing)).rejects.toThrow('a mistake')
  await expect(handshake.until(() => Promise.resolve(undefined as never))).rejects.toThrow(TypeError)
  handshake.over()
})
