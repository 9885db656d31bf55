import { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { ignoreErrors, SessionSignal } from '../../src/sessions/session-signal.ts'

it('a stream of a transport that heard errors until now ends no process by one later on', async () => {
  const stream = new PassThrough()
  const heard = (): void => undefined
  stream.on('error', heard)
  const signal = new SessionSignal(new Socket(), 60_000, 'the handshake', false)
  expect(await signal.until(() => Promise.resolve(stream), ignoreErrors)).toBe(stream)
  stream.off('error', heard)
  const closed = new Promise((resolve) => stream.once('close', resolve))
  stream.destroy(new Error('reset'))
  await closed
  signal.over()
})

it('a stream that comes too late is destroyed, and its errors end no process', async () => {
  const conn = new Socket()
  const signal = new SessionSignal(conn, 60_000, 'the handshake', false)
  const late = new PassThrough()
  const closed = new Promise((resolve) => late.once('close', resolve))
  let arrive: ((stream: PassThrough) => void) | undefined
  const waiting = signal.until(() => new Promise<PassThrough>((resolve) => (arrive = resolve)), ignoreErrors)
  conn.destroy()
  await expect(waiting).rejects.toMatchObject({ code: 'PT_CLOSED' })
  arrive?.(late)
  await closed
  late.emit('error', new Error('reset'))
  signal.over()
})

it('a throw of a transport rejects, and so does what is no stream', async () => {
  const signal = new SessionSignal(new Socket(), 60_000, 'the handshake', false)
  const failing = (): never => {
    throw new Error('a mistake')
  }
  await expect(signal.until<PassThrough>(failing, ignoreErrors)).rejects.toThrow('a mistake')
  await expect(signal.until(() => Promise.resolve(undefined as never), ignoreErrors)).rejects.toThrow(TypeError)
  signal.over()
})
