/** A meek client whose front says nothing, in real time. */
import { expect, test } from 'vitest'
import { failureOf } from '../support.ts'
import { dial, ok, scriptedFront } from '../transports/meek/scripted-front.ts'

test('a front that does not answer the first request fails the dial after 30 s', async () => {
  const front = await scriptedFront(() => undefined)
  const start = performance.now()
  expect(await failureOf(dial(front.port))).toMatchObject({ code: 'PT_TIMEOUT' })
  expect((performance.now() - start) / 1_000).toBeGreaterThan(29.9)
  expect(front.heard).toHaveLength(1)
}, 60_000)

test('a front that does not answer a later request ends the session after two minutes, and the body is not sent again', async () => {
  const front = await scriptedFront(({ body }) => (body.length > 0 ? undefined : ok()))
  const stream = await dial(front.port)
  stream.resume().write('once')
  const start = performance.now()
  const error = await new Promise((resolve) => stream.once('error', resolve))
  expect(error).toMatchObject({ code: 'PT_TIMEOUT' })
  expect((performance.now() - start) / 1_000).toBeGreaterThan(119.9)
  expect(front.heard.filter(({ body }) => body.length > 0)).toHaveLength(1)
}, 180_000)

test('a connection that cannot be made again is tried ten times within eight seconds, and then the session ends', async () => {
  const front = await scriptedFront(({ body }, conn) => {
    if (body.length > 0) conn.end(ok(body, 'Connection: close\r\n'))
    return body.length > 0 ? undefined : ok()
  })
  const targets: string[] = []
  const stream = await dial(front.port, { targets, portOf: () => (targets.length > 1 ? undefined : front.port) })
  stream.resume().write('last')
  const start = performance.now()
  expect(await new Promise((resolve) => stream.once('error', resolve))).toMatchObject({ code: 'ECONNREFUSED' })
  expect(targets).toHaveLength(11)
  expect((performance.now() - start) / 1_000).toBeGreaterThan(7)
}, 60_000)
