import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { untilAborted } from '../../src/pt/session.ts'

it('a stream of a transport that heard errors until now ends no process by one later on', async () => {
  const stream = new PassThrough()
  const heard = (): void => undefined
  stream.on('error', heard)
  const { signal } = new AbortController()
  expect(await untilAborted(signal, () => Promise.resolve(stream))).toBe(stream)
  stream.off('error', heard)
  const closed = new Promise((resolve) => stream.once('close', resolve))
  stream.destroy(new Error('reset'))
  await closed
})
