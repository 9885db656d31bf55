/** Which sessions of the meek server end when there are too many of them, or when nothing comes any more. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { readExactly, readUntil } from 'postern/io'
import { expect, test } from 'vitest'
import { open, readAll } from '../../pt/support.ts'
import type { Served } from './served.ts'
import { ask, askAlone, poll, serveMeek } from './served.ts'

const idOf = (number: number): string => `session-${number}`

/** Opens a session, which has carried bytes both ways if `isProven`. */
async function begin(server: Served, id: string, isProven = false): Promise<Duplex> {
  await askAlone(server.port, poll(isProven ? 'up' : '', id))
  const { stream } = await server.next()
  stream.on('error', () => undefined)
  if (isProven) {
    stream.write('down')
    expect(String((await askAlone(server.port, poll('', id))).body)).toBe('down')
    await readExactly(stream, 2)
  }
  return stream
}

test('one more session than may be ends the one that has carried nothing for longest', async () => {
  const server = await serveMeek({ mostSessions: 3 })
  const streams = []
  for (let i = 0; i < 3; i++) streams.push(await begin(server, idOf(i), true))
  await askAlone(server.port, poll('more', idOf(0)))
  await begin(server, idOf(3), true)
  expect(streams.map(({ destroyed }) => destroyed)).toEqual([false, true, false])
  expect(server.said).toEqual(['warning: sessions are ended, those without data for longest first, as 3 are open'])
})

test('a stranger who makes up ids ends none of the sessions that carry something', async () => {
  const server = await serveMeek({ mostSessions: 8 })
  const streams = []
  for (let i = 0; i < 4; i++) streams.push(await begin(server, idOf(i), true))
  for (let i = 10; i < 60; i++) await begin(server, idOf(i))
  expect(streams.map(({ destroyed }) => destroyed)).toEqual([false, false, false, false])
  expect(server.connections.count.open).toBeLessThanOrEqual(9)
})

test('sessions that hold too many bytes together end, beginning with the one without data for longest', async () => {
  const server = await serveMeek({ mostBytes: 200_000 })
  const idle = await begin(server, idOf(0), true)
  const first = await begin(server, idOf(1), true)
  const second = await begin(server, idOf(2), true)
  const ended = new Promise((resolve) => first.once('close', resolve))
  first.write(Buffer.alloc(100_000))
  second.write(Buffer.alloc(110_000))
  await ended
  expect([idle.destroyed, second.destroyed]).toEqual([false, false])
})

test('a session that nobody asks for ends, after the application has got what had come', async () => {
  const server = await serveMeek({ noRequestFor: 80 })
  await askAlone(server.port, poll('last words'))
  const { stream } = await server.next()
  const text: Buffer[] = []
  stream.on('data', (bytes: Buffer) => text.push(bytes))
  await once(stream, 'end')
  expect(String(Buffer.concat(text))).toBe('last words')
  await once(stream.end(), 'close')
})

test('a session whose client asks for ever, and has nothing to say, ends', async () => {
  const server = await serveMeek({ noDataFor: 80, hold: 5 })
  const conn = await open(server.port)
  await ask(conn, poll())
  const { stream } = await server.next()
  const closed = new Promise((resolve) => stream.once('end', resolve).resume())
  const answers: string[] = []
  while (!(answers.at(-1) ?? '').includes('Content-Length: 65537')) {
    conn.write(poll())
    answers.push(String(await readUntil(conn, Buffer.from('\r\n\r\n'), 16_384)))
  }
  expect(answers.length).toBeGreaterThan(2)
  await closed
  expect(server.connections.count.open).toBeLessThanOrEqual(2)
})

test('a session that nobody reads ends all the same', async () => {
  const server = await serveMeek({ noRequestFor: 80 })
  await askAlone(server.port, poll('unread'))
  const { stream } = await server.next()
  await once(stream, 'close')
})

test('ended sessions are remembered in a limited number, those of the last requests', async () => {
  const server = await serveMeek({ mostEnded: 2 })
  for (let i = 0; i < 3; i++) (await begin(server, idOf(i))).destroy()
  const isEnded = async (id: string): Promise<boolean> => {
    const conn = await open(server.port)
    conn.end(poll('', id))
    return (await readAll(conn)).includes('65537')
  }
  expect([await isEnded(idOf(1)), await isEnded(idOf(2))]).toEqual([true, true])
  expect(await isEnded(idOf(0))).toBe(false)
})

test('ended sessions are forgotten after a time', async () => {
  const server = await serveMeek({ endedFor: 50, noRequestFor: 80 })
  ;(await begin(server, idOf(0))).destroy()
  // The table is looked at while there are sessions.
  const other = await begin(server, idOf(1))
  await once(other, 'close')
  await askAlone(server.port, poll('again', idOf(0)))
  await server.next()
})
