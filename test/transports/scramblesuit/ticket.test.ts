/** Tickets and their keys under clocks that are wrong: ahead, behind, past 2106, before 1970. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { readExactly } from '../../../src/io/read.ts'
import { Args } from '../../../src/ipc/index.ts'
import { bridgeStatePath } from '../../../src/transports/scramblesuit/bridge-state.ts'
import { scramblesuitClient } from '../../../src/transports/scramblesuit/client.ts'
import { scramblesuitServer } from '../../../src/transports/scramblesuit/server.ts'
import type { TicketGenerations } from '../../../src/transports/scramblesuit/ticket.ts'
import {
  newTicketKeys,
  openTicket,
  rotateTicketKeys,
  sealTicket,
  ticketLifetime,
} from '../../../src/transports/scramblesuit/ticket.ts'
import { connected, silent, stateDir, tcpPair } from '../harness.ts'
import { clientOptions, serverOptions } from '../../launch-options.ts'

const now = 1_700_000_000
const week = ticketLifetime
const year = 365 * 86_400

describe('the keys of tickets', () => {
  const created = (generations: TicketGenerations): number[] =>
    generations.filter((keys) => keys !== undefined).map((keys) => keys.created - now)

  test.each<[what: string, before: [number, number?], after: number[]]>([
    ['young ones stay', [-1, -week], [-1, -week]],
    ['old ones are replaced, and the one before is kept', [-week, -2 * week], [0, -week]],
    ['those of a clock that was ahead give way to those before them', [10 * year, -1], [-1, 10 * year]],
    ['those of a clock that was ahead give way to new ones', [10 * year], [0, 10 * year]],
    ['where those before them are too old as well', [10 * year, -week], [0, -week]],
    ['those of a clock that starts in 1970 give way too', [-now, -1], [-1, -now]],
    ['an hour ahead is how clocks are set', [3600], [3600]],
  ])('%s', (_, before, after) => {
    const [newest, previous] = before.map((age) => newTicketKeys(now + age!))
    const generations: TicketGenerations = previous === undefined ? [newest!] : [newest!, previous]
    const rotated = rotateTicketKeys(generations, now)
    expect(created(rotated)).toEqual(after)
    expect(rotateTicketKeys(rotated, now)).toBe(rotated)
  })
})

describe('a ticket', () => {
  const master = randomBytes(32)

  test.each([0, now, 2 ** 31 - 1, 2 ** 32 - 5, 2 ** 32, 2 ** 32 + now, -5])(
    'issued at second %d is good for a week',
    (issued) => {
      const keys = newTicketKeys(issued)
      const ticket = sealTicket(keys, master, issued)
      expect(ticket).toHaveLength(112)
      for (const age of [0, 1, week, -3600]) expect(openTicket([keys], ticket, issued + age)).toEqual(master)
      for (const age of [week + 1, 2 * week, 10 * year, -3601, -10 * year]) {
        expect(openTicket([keys], ticket, issued + age)).toBeUndefined()
      }
    },
  )
})

describe('a bridge whose clock goes wrong', () => {
  const password = 'UCQ2FI5EUWTKPKFJVKV2ZLNOV6YLDMVT'
  const start = Date.UTC(2026, 10, 30)

  async function world(): Promise<{
    clock: { now: number }
    created: () => number[]
    launch: () => ReturnType<typeof scramblesuitServer>
    serve: (server: Awaited<ReturnType<typeof scramblesuitServer>>) => Promise<void>
  }> {
    const [serverDir, clientDir] = [stateDir(), stateDir()]
    const clock = { now: start }
    const read = (): { 'ticket-keys': { created: number }[] } =>
      JSON.parse(readFileSync(bridgeStatePath(serverDir), 'utf8')) as never
    return {
      clock,
      created: () => read()['ticket-keys'].map((keys) => keys.created * 1000),
      launch: () =>
        scramblesuitServer(serverOptions({ stateDir: serverDir, args: Args.from({ password }) }), () => clock.now),
      async serve(server) {
        const client = await scramblesuitClient(clientOptions({ stateDir: clientDir }), () => clock.now)
        const ends = await connected({ client, server }, { args: Args.from({ password }) })
        ends.server.write('greeting')
        expect((await readExactly(ends.client, 8)).toString()).toBe('greeting')
      },
    }
  }

  /** Bytes that could begin with a ticket, which makes the bridge look at its keys. */
  async function probe(server: Awaited<ReturnType<typeof scramblesuitServer>>): Promise<void> {
    const { near, far } = await tcpPair()
    near.end(randomBytes(200))
    await expect(server.accept({ conn: far, signal: new AbortController().signal, ...silent })).rejects.toThrow()
  }

  test.each([
    ['ten years ahead', Date.UTC(2036, 10, 30)],
    ['past 2106', Date.UTC(2107, 0, 1)],
    ['in 1970', 0],
    ['before 1970', -1],
  ])(
    '%s: it serves, starts again then and later, and has keys of the right time when the clock is right',
    async (_, wrong) => {
      const { clock, created, launch, serve } = await world()
      const server = await launch()
      const [first] = created()
      clock.now = wrong
      await probe(server)
      await vi.waitFor(() => expect(created()[0]).toBe(Math.floor(wrong / 1000) * 1000))
      await serve(server)
      await serve(await launch())
      clock.now = start + 60_000
      for (const bridge of [server, await launch()]) {
        await probe(bridge)
        await vi.waitFor(() => expect(created()[0]).toBe(first))
        await serve(bridge)
      }
      // And they are replaced as ever.
      clock.now = start + 8 * 86_400_000
      await probe(server)
      await vi.waitFor(() => expect(created()).toEqual([clock.now, first]))
    },
  )
})
