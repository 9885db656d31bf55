/** A ticket starts one session: however many clients have it, in one process or in several, and however often a bridge is shown it. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readExactly } from '../../../src/io/read.ts'
import { Args } from '../../../src/ipc/index.ts'
import { decodeBase32, encodeBase32 } from '../../../src/transports/scramblesuit/base32.ts'
import { scramblesuitClient } from '../../../src/transports/scramblesuit/client.ts'
import { epochOf, formatHello } from '../../../src/transports/scramblesuit/hello.ts'
import { sessionKeys } from '../../../src/transports/scramblesuit/keys.ts'
import { scramblesuitServer } from '../../../src/transports/scramblesuit/server.ts'
import { parseTicketPayload } from '../../../src/transports/scramblesuit/ticket-store.ts'
import type { SessionTicket } from '../../../src/transports/scramblesuit/ticket-store.ts'
import type { PtProcess } from '../../pt/child.ts'
import { clientEnv, portIn, runChild } from '../../pt/child.ts'
import { application, open, socksRequest } from '../../pt/support.ts'
import { clientSession, connected, silent, stateDir, tcpPair } from '../harness.ts'
import { clientOptions, serverOptions, streamOf } from '../../launch-options.ts'

const password = 'UCQ2FI5EUWTKPKFJVKV2ZLNOV6YLDMVT'
const args = Args.from({ password })

/** The bytes of a ticket, which begin a client's first flight if it uses one. */
const ticketLength = 112

/** A bridge that says nothing and keeps the first bytes of each connection. */
async function recorder(): Promise<{ address: string; flights: (count: number) => Promise<string[]> }> {
  const seen: string[] = []
  let wake: () => void = () => undefined
  const { address } = await application((conn) => {
    readExactly(conn, ticketLength).then(
      (bytes) => {
        seen.push(bytes.toString('hex'))
        wake()
      },
      () => undefined,
    )
  })
  return {
    address,
    async flights(count) {
      while (seen.length < count) await new Promise<void>((resolve) => (wake = resolve))
      return seen
    },
  }
}

/** Writes new tickets for `bridges` as the reference does, and returns them in hex. */
function writeTickets(dir: string, bridges: readonly string[]): string[] {
  const issuedAt = Math.floor(Date.now() / 1000)
  const tickets = bridges.map(() => randomBytes(32 + ticketLength))
  const entries = bridges.map((bridge, at) => [bridge, { 'key-ticket': encodeBase32(tickets[at]!), issuedAt }])
  writeFileSync(join(dir, 'scramblesuit_tickets.json'), JSON.stringify(Object.fromEntries(entries)), { mode: 0o600 })
  return tickets.map((bytes) => bytes.subarray(32).toString('hex'))
}

function ticketsIn(dir: string): string[] {
  return Object.keys(JSON.parse(readFileSync(join(dir, 'scramblesuit_tickets.json'), 'utf8')) as object)
}

async function startClient(dir: string): Promise<{ pt: PtProcess; port: number }> {
  const env = clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'scramblesuit', TOR_PT_STATE_LOCATION: dir })
  const pt = runChild({ args: ['pt'], env })
  return { pt, port: portIn(await pt.line('CMETHOD ')) }
}

describe('clients with one state directory', () => {
  test('in one process, eight clients that dial at once use a ticket once', async () => {
    const dir = stateDir()
    const clients = await Promise.all(
      Array.from({ length: 8 }, () => scramblesuitClient(clientOptions({ stateDir: dir }))),
    )
    for (let round = 1; round <= 5; round++) {
      const bridge = await recorder()
      const [ticket] = writeTickets(dir, [bridge.address])
      const aborts = clients.map(() => new AbortController())
      const dialled = clients.map((client, at) =>
        client.dial(clientSession({ target: bridge.address, args, signal: aborts[at]!.signal })),
      )
      const outcomes = Promise.allSettled(dialled)
      const flights = await bridge.flights(clients.length)
      expect(flights.filter((flight) => flight === ticket)).toHaveLength(1)
      expect(new Set(flights).size).toBe(clients.length)
      expect(ticketsIn(dir)).toEqual([])
      for (const abort of aborts) abort.abort(new Error('enough'))
      for (const outcome of await outcomes) if (outcome.status === 'fulfilled') outcome.value.destroy()
    }
  })

  test('in four processes, all started before there was a ticket, they use each ticket once', async () => {
    const dir = stateDir()
    const clients = await Promise.all(Array.from({ length: 4 }, () => startClient(dir)))
    for (let round = 1; round <= 5; round++) {
      const bridge = await recorder()
      const [ticket] = writeTickets(dir, [bridge.address])
      const conns = await Promise.all(clients.map(({ port }) => open(port)))
      for (const conn of conns) conn.write(socksRequest(bridge.address, `password=${password}`))
      const flights = await bridge.flights(clients.length)
      expect(flights.filter((flight) => flight === ticket)).toHaveLength(1)
      expect(new Set(flights).size).toBe(clients.length)
      for (const conn of conns) conn.destroy()
    }
  })

  test('a client that is killed with its ticket in use costs that ticket and no other', async () => {
    const dir = stateDir()
    const [first, second] = await Promise.all([recorder(), recorder()])
    const tickets = writeTickets(dir, [first.address, second.address])
    const { pt, port } = await startClient(dir)
    ;(await open(port)).write(socksRequest(first.address, `password=${password}`))
    expect(await first.flights(1)).toEqual([tickets[0]])
    pt.child.kill('SIGKILL')
    await pt.exit
    const next = await startClient(dir)
    for (const bridge of [first, second]) {
      ;(await open(next.port)).write(socksRequest(bridge.address, `password=${password}`))
    }
    expect((await first.flights(2))[1]).not.toBe(tickets[0])
    expect(await second.flights(1)).toEqual([tickets[1]])
  })

  test('while its use cannot be written down no ticket is used: the client dials by password and says why', async () => {
    const dir = stateDir()
    const bridge = await recorder()
    const [ticket] = writeTickets(dir, [bridge.address])
    mkdirSync(join(dir, `scramblesuit_spent_${Math.floor(Date.now() / 86_400_000)}`))
    const messages: string[] = []
    const client = await scramblesuitClient(clientOptions({ stateDir: dir }))
    const log = (_: string, message: string): unknown => messages.push(message)
    const abort = new AbortController()
    const dialled = client.dial(clientSession({ target: bridge.address, args, signal: abort.signal, log }))
    expect(await bridge.flights(1)).not.toEqual([ticket])
    expect(messages).toEqual([
      expect.stringMatching(
        /^state file scramblesuit_spent_\d+ cannot be written \(EISDIR\): a session ticket is not used$/,
      ),
    ])
    abort.abort(new Error('enough'))
    await expect(dialled).rejects.toThrow()
  })
})

describe('a bridge', () => {
  /** A first flight by `ticket`; each is another, as its padding is. */
  function flight({ master, ticket }: SessionTicket, now: number): Buffer {
    const keys = sessionKeys(master)
    return formatHello(keys.toServer.mac, ticket, randomBytes(50), epochOf(now))
  }

  test('takes a ticket once, in whatever hello and hour it comes again, also after a restart and beside another process', async () => {
    let now = Date.now()
    const [serverDir, clientDir] = [stateDir(), stateDir()]
    const start = () => scramblesuitServer(serverOptions({ stateDir: serverDir, args }), () => now)
    const server = await start()
    const client = await scramblesuitClient(clientOptions({ stateDir: clientDir }))
    const ends = await connected({ client, server }, { args })
    ends.server.write('greeting')
    await readExactly(ends.client, 8)
    ends.client.destroy()
    await expect.poll(() => ticketsIn(clientDir)).toEqual(['127.0.0.1:1'])
    const file = JSON.parse(readFileSync(join(clientDir, 'scramblesuit_tickets.json'), 'utf8')) as Record<
      string,
      { 'key-ticket': string }
    >
    const ticket = parseTicketPayload(decodeBase32(Object.values(file)[0]!['key-ticket'])!)!

    /** True if the bridge accepts another hello by the ticket. */
    const answers = async (bridge: typeof server): Promise<boolean> => {
      const { near, far } = await tcpPair()
      const abort = new AbortController()
      onTestFinished(() => abort.abort(new Error('enough')))
      const accepted = bridge.accept({ conn: far, signal: abort.signal, ...silent }).then(streamOf)
      const settled = accepted.then(
        (conn: Duplex) => {
          conn.on('error', () => undefined).destroy()
          return true
        },
        () => false,
      )
      near.end(flight(ticket, now))
      return await settled
    }
    const beside = await start()
    expect(await answers(server)).toBe(true)
    expect(await answers(server)).toBe(false)
    expect(await answers(beside)).toBe(false)
    now += 3 * 3_600_000
    expect(await answers(server)).toBe(false)
    expect(await answers(await start())).toBe(false)
    now += 6 * 24 * 3_600_000
    expect(await answers(await start())).toBe(false)
  })
})
