/** The table of replays that the PT gives: it is asked last, and without its word nothing is sent. */
import { once } from 'node:events'
import { readExactly, readSome } from 'postern/io'
import { expect, test } from 'vitest'
import { failClosed } from '../../../src/sessions/replays.ts'
import type { Replays } from '../../../src/transport.ts'
import { clientHandshake } from '../../../src/transports/obfs4/handshake-client.ts'
import { makeObfs4 } from '../../../src/transports/obfs4/make.ts'
import { hex } from '../../transport-vectors.ts'
import { Args } from '../../../src/ipc/index.ts'
import { serverOptions } from '../../launch-options.ts'
import { tempDir, timePasses } from '../../support.ts'
import type { Listening } from './support.ts'
import { clientPair, handshakeVector, identity, identityOptions, serve, tcp, vectorHour, vectorNow } from './support.ts'

const padding = hex(handshakeVector.client_pad)
const { hello } = clientHandshake({ bridge: identity, pair: clientPair, hour: vectorHour, padding })

async function listen(testAndSet: Replays['testAndSet']): Promise<Listening> {
  const replays = failClosed({ testAndSet }, { log: () => undefined }, 50)
  const options = serverOptions({ stateDir: tempDir(), args: Args.from(identityOptions), replays })
  return await serve(await makeObfs4({ now: () => vectorNow }).server(options))
}

test('the table is asked with the MAC of an authentic hello, for three hours, and its word lets the client in', async () => {
  const asked: [string, number][] = []
  for (const answer of [false, Promise.resolve(false)]) {
    const listening = await listen((id, ttl) => {
      asked.push([Buffer.from(id).toString('hex'), ttl])
      return answer
    })
    const conn = await tcp(listening.target)
    conn.write(hello)
    await readExactly(conn, 64)
    ;(await listening.next()).destroy()
  }
  const question = [hello.subarray(-16).toString('hex'), 10_800_000]
  expect(asked).toEqual([question, question])
})

test.each<[string, () => boolean | Promise<boolean>]>([
  ['says that the hello was here before', () => true],
  ['says so later', () => Promise.resolve(true)],
  ['rejects', () => Promise.reject(new Error('the store is down'))],
  ['never answers', () => new Promise(() => undefined)],
])('a client gets no byte if the table %s, and its connection stays open', async (_what, testAndSet) => {
  const { target, failures } = await listen(testAndSet)
  const conn = await tcp(target)
  let heard = 0
  conn.on('data', ({ length }: Buffer) => (heard += length)).on('end', () => (heard = -1))
  conn.write(hello)
  // Longer than the table may take. The end of a failed handshake comes after more than 30 s.
  await timePasses(200)
  expect([heard, failures]).toEqual([0, []])
})

test('an answer that comes when the connection has gone starts nothing', async () => {
  let answer!: (isKnown: boolean) => void
  let ask!: () => void
  const asked = new Promise<void>((resolve) => (ask = resolve))
  const { target, failures, sockets } = await listen(() => {
    ask()
    return new Promise((resolve) => (answer = resolve))
  })
  const conn = await tcp(target)
  conn.write(hello)
  await asked
  const closed = once(sockets[0]!, 'close')
  sockets[0]!.destroy()
  await closed
  answer(false)
  await expect
    .poll(() => failures.map(({ message }) => message))
    .toEqual(['the connection was closed during the handshake'])
})

test('noise asks the table nothing', async () => {
  let questions = 0
  const { target } = await listen(() => ++questions > 0)
  const conn = await tcp(target)
  conn.write(Buffer.concat([hello.subarray(0, -1), Buffer.of(hello.at(-1)! ^ 1)]))
  const other = await tcp(target)
  other.write(Buffer.alloc(9_000, 7))
  // The server has read all of it when it takes the next client in.
  const third = await tcp(target)
  third.write(hello)
  await expect.poll(() => questions).toBe(1)
  void readSome(third).catch(() => undefined)
})
