import type { Duplex } from 'node:stream'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { readExactly } from '../../src/io/read.ts'
import { obfs2 } from '../../src/transports/obfs2/index.ts'
import { obfs3 } from '../../src/transports/obfs3/index.ts'
import { clientSession, echo, launched, listening, onceCalled, receive, sendRandom } from '../transports/harness.ts'
import { goClient, goPeers, goServer } from './go-peers.ts'

const size = 16 << 20

const pairs = goPeers.flatMap((program) => [obfs3, obfs2].map((transport) => ({ program, transport })))

describe.each(pairs)('$transport.name and $program', ({ program, transport }) => {
  test('our client, its server: 16 MiB each way in writes of random sizes, equal by hash', async (context) => {
    const far = onceCalled<Duplex>()
    const target = await goServer(context, program, transport.name, far.call)
    const { client } = await launched(transport)
    await transfer(await client.dial(clientSession({ target })), await far.called)
  })

  test('its client, our server: 16 MiB each way in writes of random sizes, equal by hash', async (context) => {
    const far = onceCalled<Duplex>()
    const target = await listening((await launched(transport)).server, far.call)
    const proxy = await goClient(context, program, transport.name)
    await transfer(await proxy.dial(target), await far.called)
  })

  test('our client, its server: 200 handshakes in a row without a failure', async (context) => {
    const target = await goServer(context, program, transport.name, echo)
    const { client } = await launched(transport)
    for (let i = 0; i < 200; i++) await roundTrip(await client.dial(clientSession({ target })), i)
  })

  test('its client, our server: 200 handshakes in a row without a failure', async (context) => {
    const target = await listening((await launched(transport)).server, echo)
    const proxy = await goClient(context, program, transport.name)
    for (let i = 0; i < 200; i++) await roundTrip(await proxy.dial(target), i)
  })
})

/** Both directions at once. obfs4proxy ends both on the first end, so both are counted and not ended. */
async function transfer(client: Duplex, server: Duplex): Promise<void> {
  const [up, down] = [receive(server, size), receive(client, size)]
  const sent = [sendRandom(client, size, { end: false }), sendRandom(server, size, { end: false })]
  expect(await Promise.all([up, down])).toEqual(await Promise.all(sent))
  client.destroy()
}

async function roundTrip(conn: Duplex, i: number): Promise<void> {
  conn.write(`hello ${i}`)
  const answer = `hello ${i}`
  expect((await readExactly(conn, answer.length)).toString()).toBe(answer)
  conn.destroy()
  await once(conn, 'close')
}
