/** Strangers at the server of meek: a hundred thousand ids, and clients that do not read. */
import { randomBytes } from 'node:crypto'
import { readExactly } from 'postern/io'
import { expect, test } from 'vitest'
import { open } from '../pt/support.ts'
import { ask, askAlone, heard, poll, serveMeek } from '../transports/meek/served.ts'

const IDS = 100_000
/** Each id costs half a millisecond of CPU. */
const PATIENCE = 600_000
const CONNECTIONS = 20
const MOST_SESSIONS = 8_192

test(
  '100,000 ids cost no more than 8,192 sessions, and end none that carries something',
  async () => {
    const server = await serveMeek()
    const conn = await open(server.port)
    await ask(conn, poll('up', 'the-honest-one'))
    const { stream } = await server.next()
    stream.write('down')
    expect(String((await ask(conn, poll('', 'the-honest-one'))).body)).toBe('down')
    let most = 0
    const visit = async (first: number): Promise<void> => {
      const stranger = await open(server.port)
      for (let id = first; id < IDS; id += CONNECTIONS) {
        await ask(stranger, poll('x', `stranger-${id}`))
        server.came.length = 0
        most = Math.max(most, server.connections.count.open)
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, (_, first) => visit(first)))
    expect(most).toBeGreaterThan(MOST_SESSIONS)
    expect(most).toBeLessThanOrEqual(MOST_SESSIONS + CONNECTIONS + 2)
    stream.write('still')
    expect(String((await ask(conn, poll('', 'the-honest-one'))).body)).toBe('still')
  },
  PATIENCE,
)

test('1,000 clients that take no answers cost no more than the limit of bytes', async () => {
  const most = 16 << 20
  const server = await serveMeek({ mostBytes: most, noRequestFor: 600_000 })
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 1_000; i++) {
    const conn = await open(server.port)
    await ask(conn, poll('', `stranger-${i}`))
    const { stream } = await server.next()
    stream.on('error', () => undefined).write(randomBytes(200_000))
    conn.pause()
    conn.write(poll('', `stranger-${i}`))
  }
  // What the limit counts, what waits in the writes of the sessions, and what Node keeps for the connections.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * most)
  await askAlone(server.port, poll('newcomer', 'the-honest-one'))
  const { stream } = await server.next()
  expect(String(await readExactly(stream, 8))).toBe('newcomer')
})

test('requests of one id on 200 connections at once are answered or refused, and no byte comes twice or out of place', async () => {
  const server = await serveMeek({ hold: 5 })
  await askAlone(server.port, poll())
  const { stream } = await server.next()
  const pieces: Buffer[] = []
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  const taken: string[] = []
  const visit = async (number: number): Promise<void> => {
    const conn = await open(server.port)
    for (let i = 0; i < 20; i++) {
      const body = `<${number}-${i}>`
      conn.write(poll(body))
      if ((await heard(conn)).status === 200) taken.push(body)
    }
  }
  await Promise.all(Array.from({ length: 200 }, (_, number) => visit(number)))
  const came = String(Buffer.concat(pieces)).match(/<\d+-\d+>/g)!
  expect(came.join('').length).toBe(Buffer.concat(pieces).length)
  expect(came.toSorted()).toEqual(taken.toSorted())
})
