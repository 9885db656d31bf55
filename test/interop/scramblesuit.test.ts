import type { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { ArgsInit } from '../../src/ipc/index.ts'
import { Args } from '../../src/ipc/index.ts'
import { readExactly } from '../../src/io/read.ts'
import { scramblesuit } from '../../src/transports/scramblesuit/index.ts'
import { clientSession, echo, listening, receive, sendRandom, stateDir } from '../transports/harness.ts'
import { goClient } from './go-peers.ts'
import { clientOptions, serverOptions } from '../launch-options.ts'

const size = 16 << 20
const byPassword = 'a client authenticated by password'
const byTicket = 'a client authenticated by session ticket'

interface Bridge {
  readonly target: string
  readonly args: Args
  /** How its clients authenticated, in its own words. */
  readonly seen: string[]
  /** Another address of the same server. */
  readonly again: () => Promise<string>
}

/** Our server, with a password of its own making. */
async function bridge(use: (conn: Duplex) => unknown): Promise<Bridge> {
  const server = await scramblesuit.server(serverOptions({ stateDir: stateDir(), args: Args.none }))
  const seen: string[] = []
  const log = (_: string, message: string): void => void seen.push(message)
  const again = (): Promise<string> => listening(server, use, { log })
  return { target: await again(), args: Args.from(server.args as ArgsInit), seen, again }
}

/** Twice 16 MiB each way: by password, and by the ticket that came with it. */
async function transferTwice(dial: (bridge: Bridge) => Promise<Duplex>): Promise<void> {
  const accepted: Duplex[] = []
  const ours = await bridge((conn) => accepted.push(conn))
  for (const by of [byPassword, byTicket]) {
    const near = await dial(ours)
    // obfs4proxy's client reports success on a ticket at once, so that its first bytes may come before the server's view.
    const sent = [sendRandom(near, size, { end: false })]
    while (accepted.length === 0) await new Promise(setImmediate)
    const far = accepted.pop()!
    const received = [receive(far, size), receive(near, size)]
    sent.push(sendRandom(far, size, { end: false }))
    expect(await Promise.all(received)).toEqual(await Promise.all(sent))
    expect(ours.seen.at(-1)).toBe(by)
    near.destroy()
  }
}

/** 200 connections, one after the other. */
async function handshakes(dial: (bridge: Bridge) => Promise<Duplex>): Promise<string[]> {
  const ours = await bridge(echo)
  for (let i = 0; i < 200; i++) {
    const conn = await dial(ours)
    const word = `hello ${i}`
    conn.write(word)
    expect((await readExactly(conn, word.length)).toString()).toBe(word)
    conn.destroy()
  }
  return ours.seen
}

describe('scramblesuit', () => {
  test('obfs4proxy’s client, our server: 16 MiB each way by password and by ticket, equal by hash', async (context) => {
    const proxy = await goClient(context, 'obfs4proxy', 'scramblesuit')
    await transferTwice(({ target, args }) => proxy.dial(target, args))
  })

  test('our client, our server: 16 MiB each way by password and by ticket, equal by hash', async () => {
    const client = await scramblesuit.client(clientOptions({ stateDir: stateDir() }))
    await transferTwice(({ target, args }) => client.dial(clientSession({ target, args })))
  })

  test('obfs4proxy’s client, our server: 200 handshakes in a row, by ticket from the second on', async (context) => {
    const proxy = await goClient(context, 'obfs4proxy', 'scramblesuit')
    const [first, ...others] = await handshakes(({ target, args }) => proxy.dial(target, args))
    expect([first, new Set(others), others.length]).toEqual([byPassword, new Set([byTicket]), 199])
  })

  test('obfs4proxy’s client, our server: 200 handshakes in a row by password', async (context) => {
    const proxy = await goClient(context, 'obfs4proxy', 'scramblesuit')
    // A client keeps its tickets by address: at another address of the same bridge it has none.
    const seen = await handshakes(async ({ again, args }) => await proxy.dial(await again(), args))
    expect([new Set(seen), seen.length]).toEqual([new Set([byPassword]), 200])
  })
})
