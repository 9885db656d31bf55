/** What takes long of tunnels through web servers: much traffic, many connections, long silence, and the client of webtunnel itself. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { readExactly } from 'postern/io'
import { describe, expect, onTestFinished, test } from 'vitest'
import { timePasses } from '../../support.ts'
import { exchange } from '../traffic.ts'
import type { ClientEnd, ClientProgram, ServerProgram } from './ends.ts'
import { connected, fleetOfFile } from './fleet.ts'
import type { Front, FrontKind } from './fronts.ts'
import { frontKinds } from './fronts.ts'

const fleet = fleetOfFile()
const echoing = fleetOfFile((conn) => void conn.pipe(conn))

const pairs: readonly [ClientProgram, ServerProgram][] = [
  ['postern', 'postern'],
  ['lyrebird', 'postern'],
  ['postern', 'webtunnel-server'],
  ['lyrebird', 'webtunnel-server'],
]

type Case = readonly [FrontKind, ClientProgram, ServerProgram]

const cases: readonly Case[] = [
  ...frontKinds.flatMap((kind) => pairs.map(([client, server]): Case => [kind, client, server])),
  ['haproxy in mode http', 'postern', 'postern'],
]

describe('100 MiB each way at once arrive whole', () => {
  test.for(cases)(
    'through %s, from the client of %s to the server of %s',
    { timeout: 300_000 },
    async ([kind, program, far], context) => {
      const [client, server, front] = await Promise.all([
        fleet.client(context, program),
        fleet.server(context, far),
        fleet.front(context, kind, far),
      ])
      const one = await connected(client, front, server)
      const { sent, received } = await exchange(one.near, one.far, 100)
      expect(received).toEqual(sent)
    },
  )
})

const IDLE = 600_000

test(
  'after 10 minutes of silence every tunnel of every front carries bytes both ways',
  { timeout: IDLE + 120_000 },
  async (context) => {
    const tunnels = await Promise.all(
      cases.map(async ([kind, program, far]) => {
        await echoing.server(context, far)
        const [client, front] = [await echoing.client(context, program), await echoing.front(context, kind, far)]
        return await opened(client, front)
      }),
    )
    for (const conn of tunnels) expect(await echoOf(conn, 'before')).toBe('before')
    await timePasses(IDLE)
    const echoes = await Promise.all(
      tunnels.map(async (conn) => await echoOf(conn, 'after ten minutes').catch((error: Error) => error.message)),
    )
    expect(echoes).toEqual(tunnels.map(() => 'after ten minutes'))
  },
)

const MANY = 1_000
const AT_ONCE = 32

describe(`${MANY} connections at once`, () => {
  test.for(cases.filter(([, client, server]) => client === 'postern' || server === 'postern'))(
    'through %s, from the client of %s to the server of %s',
    { timeout: 240_000 },
    async ([kind, program, far], context) => {
      await echoing.server(context, far)
      const [client, front] = [await echoing.client(context, program), await echoing.front(context, kind, far)]
      const conns: Duplex[] = []
      let left = MANY
      const work = async (): Promise<void> => {
        while (left-- > 0) conns.push(await opened(client, front))
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work))
      const echoes = await Promise.all(conns.map(async (conn, at) => await echoOf(conn, `connection ${at}`)))
      expect(echoes).toEqual(conns.map((_, at) => `connection ${at}`))
      await Promise.all(
        conns.map(async (conn) => {
          conn.destroy()
          if (!conn.closed) await once(conn, 'close')
        }),
      )
    },
  )
})

async function opened(client: ClientEnd, front: Front): Promise<Duplex> {
  const conn = (await client.dial(front.args)).on('error', () => undefined)
  onTestFinished(() => void conn.destroy())
  return conn
}

async function echoOf(conn: Duplex, word: string): Promise<string> {
  conn.write(word)
  return String(await readExactly(conn, Buffer.byteLength(word)))
}
