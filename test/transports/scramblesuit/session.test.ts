import { createHash, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { uniformDh } from '../../../src/crypto/uniform-dh.ts'
import { weightedDist } from '../../../src/crypto/weighted-dist.ts'
import { readExactly, readSome } from '../../../src/io/read.ts'
import type { ArgsInit } from '../../../src/ipc/index.ts'
import { Args } from '../../../src/ipc/index.ts'
import type { Client, Server } from '../../../src/transport.ts'
import { scramblesuitClient } from '../../../src/transports/scramblesuit/client.ts'
import { epochOf, formatHello, readAnswer } from '../../../src/transports/scramblesuit/hello.ts'
import { scramblesuit } from '../../../src/transports/scramblesuit/index.ts'
import { sessionKeys } from '../../../src/transports/scramblesuit/keys.ts'
import type { Packet } from '../../../src/transports/scramblesuit/packet.ts'
import { packetFlag, packetReader, packetWriter, payloadPackets } from '../../../src/transports/scramblesuit/packet.ts'
import { parsePassword } from '../../../src/transports/scramblesuit/password.ts'
import { scramblesuitServer } from '../../../src/transports/scramblesuit/server.ts'
import { TicketStore } from '../../../src/transports/scramblesuit/ticket-store.ts'
import { ticketLifetime } from '../../../src/transports/scramblesuit/ticket.ts'
import {
  clientSession,
  connected,
  flip,
  receiveAll,
  sendRandom,
  silent,
  singly,
  stateDir as makeStateDir,
  tcpPair,
  writeUntilStuck,
} from '../harness.ts'
import { clientOptions, serverOptions, streamOf } from '../../launch-options.ts'

const password = 'UCQ2FI5EUWTKPKFJVKV2ZLNOV6YLDMVT'
const secret = parsePassword(password)
const args = Args.from({ password })

interface Sides {
  readonly client: Client
  readonly server: Server
  readonly serverDir: string
}

async function sides(now?: () => number, serverDir = makeStateDir(), clientDir = makeStateDir()): Promise<Sides> {
  const server = await scramblesuitServer(serverOptions({ stateDir: serverDir, args }), now)
  const client = await scramblesuitClient(clientOptions({ stateDir: clientDir }), now)
  return { client, server, serverDir }
}

/** Dials, and does not come back before the bridge's ticket has arrived in front of its greeting. */
async function greeted(both: Sides): Promise<{ client: Duplex; server: Duplex }> {
  const ends = await connected(both, { args })
  ends.server.write('greeting')
  expect((await readExactly(ends.client, 8)).toString()).toBe('greeting')
  return ends
}

function accept(
  server: Server,
  conn: Duplex,
  log: (severity: string, message: string) => void = silent.log,
): Promise<Duplex> {
  const accepted = server.accept({ conn, signal: new AbortController().signal, ...silent, log }).then(streamOf)
  accepted.then(quiet, () => undefined)
  return accepted
}

/** Nobody reads what a connection ends with, unless a test asks. */
const quiet = (conn: Duplex): Duplex => conn.on('error', () => undefined)

/** How a client authenticated, as the server says it. */
async function authenticatedBy(both: Sides): Promise<string> {
  const { near, far } = await tcpPair()
  const messages: string[] = []
  const accepted = accept(both.server, far, (_, message) => messages.push(message))
  const connect = (): Promise<Duplex> => Promise.resolve(near)
  const client = quiet(await both.client.dial(clientSession({ target: '127.0.0.1:1', args, connect })))
  const server = await accepted
  server.write('greeting')
  await readExactly(client, 8)
  client.destroy()
  return messages.join()
}

const byPassword = 'a client authenticated by password'
const byTicket = 'a client authenticated by session ticket'

/** A UniformDH hello of the hour of `now`, with what makes sense of the answer. */
function hello(
  now: number,
  padding = 100,
): { bytes: Buffer; keys: (answer: Buffer) => ReturnType<typeof sessionKeys> | undefined } {
  const pair = uniformDh()
  const epoch = epochOf(now)
  return {
    bytes: formatHello(secret, pair.publicKey, randomBytes(padding), epoch),
    keys(answer) {
      const read = readAnswer(secret, answer, epoch)
      if (read === undefined) return undefined
      return sessionKeys(createHash('sha256').update(pair.secret(read.publicKey)).digest())
    },
  }
}

/** Numbers that nobody asks for. */
const never = { int: (): never => expect.fail(), float: (): never => expect.fail() }

/** Plays the bridge on `far`: answers the client's hello, and gives the keys of the session. */
async function answered(far: Duplex): Promise<ReturnType<typeof sessionKeys>> {
  const clientHello = await readSome(far)
  const ours = uniformDh()
  far.write(formatHello(secret, ours.publicKey, Buffer.alloc(0), epochOf(Date.now())))
  return sessionKeys(
    createHash('sha256')
      .update(ours.secret(clientHello.subarray(0, 192)))
      .digest(),
  )
}

describe('scramblesuit', () => {
  test('FLOW-6: 1 MiB each way in writes of random sizes, and each half ends by itself', async () => {
    const ends = await connected(await sides(), { args })
    const [up, down] = [receiveAll(ends.server), receiveAll(ends.client)]
    expect(await sendRandom(ends.client, 1 << 20)).toBe((await up).hash)
    expect(ends.server.writable).toBe(true)
    expect(await sendRandom(ends.server, 1 << 20)).toBe((await down).hash)
  })

  test('a reader that stops holds the writer back', async () => {
    const ends = await connected(await sides(), { args })
    const written = await writeUntilStuck(ends.client)
    expect(written).toBeLessThan(64 << 20)
    const up = receiveAll(ends.server)
    ends.client.end()
    expect((await up).size).toBe(written)
  })

  test('the first connection is by password, each later one by the ticket of the one before', async () => {
    const both = await sides()
    expect(await authenticatedBy(both)).toBe(byPassword)
    for (let i = 0; i < 3; i++) expect(await authenticatedBy(both)).toBe(byTicket)
  })

  test("each handshake is asked of the PT's table of replays, once and for as long as it could be played back", async () => {
    const asked: { id: string; ttl: number }[] = []
    const replays = {
      testAndSet: (id: Uint8Array, ttl: number) => {
        asked.push({ id: Buffer.from(id).toString('hex'), ttl })
        return Promise.resolve(false)
      },
    }
    const server = await scramblesuitServer(serverOptions({ stateDir: makeStateDir(), args, replays }))
    const client = await scramblesuitClient(clientOptions({ stateDir: makeStateDir() }))
    const both = { client, server, serverDir: '' }
    expect([await authenticatedBy(both), await authenticatedBy(both)]).toEqual([byPassword, byTicket])
    // A hello is of an hour, or of those around it. A ticket is good for a week, on clocks that may differ by an hour.
    expect(asked.map(({ ttl }) => ttl / 3_600_000)).toEqual([3, ticketLifetime / 3_600 + 2])
    expect(new Set(asked.map(({ id }) => id)).size).toBe(2)
  })

  test('a handshake that the table of the PT knows, from another process of this bridge, gets no byte', async () => {
    const server = await scramblesuitServer(
      serverOptions({ stateDir: makeStateDir(), args, replays: { testAndSet: () => Promise.resolve(true) } }),
    )
    const { near, far } = await tcpPair()
    near.write(hello(Date.now()).bytes)
    near.end()
    await expect(accept(server, far)).rejects.toMatchObject({ code: 'PT_HANDSHAKE', stage: 'auth' })
    far.destroy()
    expect((await receiveAll(near)).size).toBe(0)
  })

  test('tickets outlive a restart of either side, and data flows by them both ways', async () => {
    const [serverDir, clientDir] = [makeStateDir(), makeStateDir()]
    await greeted(await sides(undefined, serverDir, clientDir))
    const again = await sides(undefined, serverDir, clientDir)
    expect(await authenticatedBy(again)).toBe(byTicket)
    const ends = await greeted(await sides(undefined, serverDir, clientDir))
    const up = receiveAll(ends.server)
    expect(await sendRandom(ends.client, 200_000)).toBe((await up).hash)
  })

  test('a ticket that the bridge cannot read is spent all the same: the next connection is by password', async () => {
    const clientDir = makeStateDir()
    await greeted(await sides(undefined, makeStateDir(), clientDir))
    const both = await sides(undefined, makeStateDir(), clientDir)
    const { near, far } = await tcpPair()
    void accept(both.server, far)
    const connect = (): Promise<Duplex> => Promise.resolve(near)
    const conn = await both.client.dial(clientSession({ target: '127.0.0.1:1', args, connect }))
    conn.destroy()
    expect(await authenticatedBy(both)).toBe(byPassword)
  })

  test('ticket keys change after seven days and are kept for seven more; a client’s ticket lasts as long', async () => {
    let now = 1_700_000_000_000
    const both = await sides(() => now)
    const keys = (): unknown[] =>
      (
        JSON.parse(readFileSync(join(both.serverDir, 'scramblesuit_state.json'), 'utf8')) as {
          'ticket-keys': unknown[]
        }
      )['ticket-keys']
    expect(await authenticatedBy(both)).toBe(byPassword)
    now += (ticketLifetime - 10) * 1000
    expect(await authenticatedBy(both)).toBe(byTicket)
    const [first] = keys()
    now += 3600_000 // the keys are replaced, and the ticket of the last moment is still read
    expect(await authenticatedBy(both)).toBe(byTicket)
    await vi.waitFor(() => expect(keys()).toEqual([expect.anything(), first]))
    now += (ticketLifetime + 1) * 1000
    expect(await authenticatedBy(both)).toBe(byPassword)
  })

  test('a hostile bridge cannot make work: of many tickets and seeds the first ones count', async () => {
    const clientDir = makeStateDir()
    const { client } = await sides(undefined, makeStateDir(), clientDir)
    const { near, far } = await tcpPair()
    const dialled = client.dial(clientSession({ target: '127.0.0.1:2', args, connect: () => Promise.resolve(near) }))
    const session = await answered(far)
    const seeds = Array.from({ length: 500 }, () => randomBytes(32))
    const tickets = Array.from({ length: 500 }, () => randomBytes(144))
    const packets = seeds.flatMap((seed, i) => [
      { flags: packetFlag.seed, payload: seed },
      { flags: packetFlag.ticket, payload: tickets[i]! },
    ])
    const end = { flags: packetFlag.payload, payload: Buffer.from('end') }
    const writes = vi.spyOn(TicketStore.prototype, 'put')
    onTestFinished(() => writes.mockRestore())
    far.write(packetWriter(session.toClient, () => 100)([...packets, end]))
    const conn = await dialled
    expect((await readExactly(conn, 3)).toString()).toBe('end')
    expect(writes.mock.calls.map(([, { master }]) => master)).toEqual([tickets[0]!.subarray(0, 32)])
    // The lengths of what the client sends are those of the first seed.
    const { tables } = weightedDist(seeds[0]!.subarray(0, 24), { min: 21, max: 1448, biased: true }, never)
    const lengths = tables.values.map((value) => 21 + value)
    const write = vi.spyOn(near, 'write')
    for (let i = 0; i < 20; i++) conn.write('x')
    for (const [bytes] of write.mock.calls) expect(lengths).toContain(bytes.length % 1448 || 1448)
    expect(write).toHaveBeenCalledTimes(20)
  })

  test('the ticket is taken before there is a connection, and kept if there will be none', async () => {
    const both = await sides()
    await greeted(both)
    const taken = vi.spyOn(TicketStore.prototype, 'take')
    onTestFinished(() => taken.mockRestore())
    const connect = async (): Promise<never> => {
      expect(taken).toHaveBeenCalledTimes(1)
      await taken.mock.results[0]!.value
      throw new Error('unreachable')
    }
    const dialled = both.client.dial(clientSession({ target: '127.0.0.1:1', args, connect }))
    await expect(dialled).rejects.toThrow('unreachable')
    expect(await authenticatedBy(both)).toBe(byTicket)
  })

  test('SM-3: the server says its password, makes one where none is given, and keeps it', async () => {
    const stateDir = makeStateDir()
    const launch = async (args: Args): Promise<string | undefined> =>
      Args.from((await scramblesuit.server(serverOptions({ stateDir, args }))).args as ArgsInit).get('password')
    const made = await launch(Args.none)
    expect(made).toMatch(/^[A-Z2-7]{32}$/)
    expect(await launch(Args.none)).toBe(made)
    expect(await launch(Args.from({ password: password.toLowerCase() }))).toBe(password)
    expect(await launch(Args.none)).toBe(made)
    await expect(launch(Args.from({ password: 'short' }))).rejects.toMatchObject({ code: 'PT_ARGS', stage: 'argument' })
  })

  test('PT_ARGS: a missing or malformed password is named before anything is dialled', async () => {
    const client = await scramblesuit.client(clientOptions({ stateDir: makeStateDir() }))
    const session = clientSession({ target: '127.0.0.1:1', connect: () => expect.fail('nothing is dialled') })
    await expect(client.dial(session)).rejects.toMatchObject({
      code: 'PT_ARGS',
      stage: 'argument',
      message: "missing argument 'password'",
    })
    await expect(client.dial({ ...session, args: Args.from({ password: 'x' }) })).rejects.toMatchObject({
      code: 'PT_ARGS',
      stage: 'argument',
    })
  })

  test('PT_HANDSHAKE: a bridge that stays silent is given 60 seconds, and the message names what is likely wrong', async () => {
    const { client } = await sides()
    const { near, far } = await tcpPair()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const connect = (): Promise<Duplex> => Promise.resolve(near)
    const dialled = client.dial(clientSession({ target: '127.0.0.1:1', args, connect }))
    await readExactly(far, 224)
    vi.advanceTimersByTime(59_999)
    expect(near.destroyed).toBe(false)
    const failed = expect(dialled).rejects.toMatchObject({
      code: 'PT_HANDSHAKE',
      stage: 'timeout',
      message: expect.stringContaining('password') as string,
    })
    vi.advanceTimersByTime(1)
    await failed
    expect(near.destroyed).toBe(true)
  })

  test.each([
    ['1532 random bytes', () => randomBytes(1532), 'mark'],
    ['an answer of another hour', () => formatHello(secret, randomBytes(192), randomBytes(9), 1), 'mac'],
    [
      'an answer with a key of zero',
      () => formatHello(secret, Buffer.alloc(192), randomBytes(9), epochOf(Date.now())),
      'mark',
    ],
    ['an early end', () => Buffer.alloc(0), 'closed'],
  ])('PT_HANDSHAKE: %s fails the dial', async (_, answer, stage) => {
    const { client } = await sides()
    const { near, far } = await tcpPair()
    const connect = (): Promise<Duplex> => Promise.resolve(near)
    far.resume().end(answer())
    await expect(client.dial(clientSession({ target: '127.0.0.1:1', args, connect }))).rejects.toMatchObject({
      code: 'PT_HANDSHAKE',
      stage,
    })
    expect(near.destroyed).toBe(true)
  })

  test('the answer, the ticket and the seed come in one write, and the mark with its MAC in the first segment', async () => {
    const { server } = await sides()
    for (let i = 0; i < 20; i++) {
      const { near, far } = await tcpPair()
      const writes = vi.spyOn(far, 'write')
      const { bytes, keys } = hello(Date.now())
      near.write(bytes)
      await accept(server, far)
      expect(writes).toHaveBeenCalledTimes(1)
      const sent = Buffer.from(writes.mock.calls[0]?.[0] as Uint8Array)
      const session = keys(sent.subarray(0, 1448))
      expect(session).toBeDefined()
      near.destroy()
    }
  })

  test('a hello in single bytes, and packets behind a ticket in the same write, are read in full', async () => {
    const { server } = await sides()
    const { near, far } = await tcpPair()
    const first = hello(Date.now(), 0)
    const accepted = accept(server, far)
    for (const byte of singly(first.bytes)) near.write(byte)
    await accepted
    let answer = await readSome(near)
    while (first.keys(answer) === undefined) answer = Buffer.concat([answer, await readSome(near)])
    const read = readAnswer(secret, answer, epochOf(Date.now()))
    const packets = packetReader(first.keys(answer)!.toClient)
    const [{ flags, payload }] = Array.from(packets.read(answer.subarray(read!.size))) as [Packet]
    expect(flags).toBe(packetFlag.ticket)
    const [master, ticket] = [payload.subarray(0, 32), payload.subarray(32)]

    const second = await tcpPair()
    const keys = sessionKeys(master)
    const data = packetWriter(keys.toServer, () => 100)(payloadPackets(Buffer.from('at once')))
    const opening = formatHello(keys.toServer.mac, ticket, randomBytes(7), epochOf(Date.now()))
    second.near.write(Buffer.concat([opening, data]))
    expect((await readExactly(await accept(server, second.far), 7)).toString()).toBe('at once')
  })

  test('PT_FRAME: a client may not send tickets or seeds, and a bridge none of a wrong length', async () => {
    const { server, client } = await sides()
    const { near, far } = await tcpPair()
    const first = hello(Date.now(), 0)
    near.write(first.bytes)
    const accepted = await accept(server, far)
    const keys = first.keys(await readSome(near))!
    near.write(packetWriter(keys.toServer, () => 100)([{ flags: packetFlag.seed, payload: randomBytes(32) }]))
    const [error] = (await once(accepted.resume(), 'error').catch((error: unknown) => [error])) as unknown[]
    expect(error).toMatchObject({ code: 'PT_FRAME' })

    for (const packet of [
      { flags: packetFlag.seed, payload: randomBytes(24) },
      { flags: packetFlag.ticket, payload: randomBytes(143) },
      { flags: 0, payload: randomBytes(3) },
      { flags: 3, payload: randomBytes(3) },
    ]) {
      const pair = await tcpPair()
      const dialled = client.dial(
        clientSession({ target: '127.0.0.1:2', args, connect: () => Promise.resolve(pair.near) }),
      )
      const clientHello = await readSome(pair.far)
      const ours = uniformDh()
      const answer = formatHello(secret, ours.publicKey, Buffer.alloc(0), epochOf(Date.now()))
      const session = sessionKeys(
        createHash('sha256')
          .update(ours.secret(clientHello.subarray(0, 192)))
          .digest(),
      )
      pair.far.write(Buffer.concat([answer, packetWriter(session.toClient, () => 100)([packet])]))
      const conn = await dialled
      const [failure] = (await once(conn.resume(), 'error')) as unknown[]
      expect(failure).toMatchObject({ code: 'PT_FRAME' })
    }
  })
})

describe('probes', () => {
  /** Waits until the server has taken `size` bytes and had a moment to react. */
  async function taken(far: Duplex & { readonly bytesRead: number }, size: number): Promise<void> {
    while (far.bytesRead < size && !far.destroyed) await new Promise(setImmediate)
    for (let i = 0; i < 5; i++) await new Promise(setImmediate)
  }

  async function bridge(): Promise<Sides & { limit: number }> {
    const both = await sides()
    const state = JSON.parse(readFileSync(join(both.serverDir, 'scramblesuit_state.json'), 'utf8')) as {
      'close-delay': number
    }
    return { ...both, limit: (30 + state['close-delay']) * 1000 }
  }

  /** Sends `bytes`; resolves once the server has taken them, with how it ended and what came back. */
  async function probe(
    { server, limit }: Awaited<ReturnType<typeof bridge>>,
    bytes: Buffer,
  ): Promise<{ back: number; error: unknown }> {
    const { near, far } = await tcpPair()
    let back = 0
    near.on('error', () => undefined).on('data', (chunk: Buffer) => (back += chunk.length))
    const accepted = accept(server, far).catch((error: unknown) => error)
    near.write(bytes)
    await taken(far, bytes.length)
    expect(far.destroyed).toBe(false)
    vi.advanceTimersByTime(limit - 1)
    expect(far.destroyed).toBe(false)
    const ended = once(near, 'end')
    vi.advanceTimersByTime(1)
    const error = await accepted
    expect(far.destroyed).toBe(true)
    await ended
    near.destroy()
    return { back, error }
  }

  test('whatever is wrong, not a byte comes back, and the connection ends by a FIN at the bridge’s own time', async () => {
    const target = await bridge()
    const now = Date.now()
    const valid = hello(now).bytes
    const cases = [
      ...Array.from({ length: 100 }, () => randomBytes(randomInt(10_001))),
      Buffer.alloc(0),
      randomBytes(1531),
      randomBytes(1532),
      randomBytes(7_660),
      randomBytes(200_000),
      ...[-3, -2, 2, 3].map((hours) => hello(now + hours * 3_600_000).bytes),
      Buffer.concat([hello(now).bytes, Buffer.from('x')]),
      Buffer.concat([hello(now).bytes, randomBytes(9000)]),
      ...Array.from({ length: 30 }, () => flip(valid, randomInt(valid.length * 8))),
      valid.subarray(0, -1),
      hello(now, 1309).bytes,
    ]
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    for (const bytes of cases) {
      const { back, error } = await probe(target, bytes)
      expect(back).toBe(0)
      expect(error).toMatchObject({ code: 'PT_HANDSHAKE' })
    }
  })

  test('a replayed hello gets nothing, also behind a restart; nor does a replayed ticket', async () => {
    const target = await bridge()
    const bytes = hello(Date.now()).bytes
    const first = await tcpPair()
    first.near.write(bytes)
    await accept(target.server, first.far)

    // A ticket, recorded as it is used.
    const clientDir = makeStateDir()
    const client = await scramblesuitClient(clientOptions({ stateDir: clientDir }))
    await greeted({ ...target, client })
    const { near, far } = await tcpPair()
    const recorded = vi.spyOn(near, 'write')
    const accepted = accept(target.server, far)
    await client.dial(clientSession({ target: '127.0.0.1:1', args, connect: () => Promise.resolve(near) }))
    await accepted
    const ticket = Buffer.from(recorded.mock.calls[0]?.[0] as Uint8Array)

    const restarted = await sides(undefined, target.serverDir)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    for (const server of [target.server, restarted.server]) {
      for (const replayed of [bytes, ticket]) {
        const { back, error } = await probe({ ...target, server }, replayed)
        expect(back).toBe(0)
        expect(error).toMatchObject({ code: 'PT_HANDSHAKE', stage: expect.stringMatching(/auth|timeout/) as string })
      }
    }
  })

  test('PT_STATE: a ticket is not served while it cannot be remembered; a password is', async () => {
    const target = await bridge()
    await greeted(target)
    const replays = join(target.serverDir, 'scramblesuit_replays')
    rmSync(replays)
    mkdirSync(replays)
    const { near, far } = await tcpPair()
    const accepted = accept(target.server, far)
    const connect = (): Promise<Duplex> => Promise.resolve(near)
    await target.client.dial(clientSession({ target: '127.0.0.1:1', args, connect }))
    await expect(accepted).rejects.toMatchObject({ code: 'PT_STATE' })
    expect(await authenticatedBy(target)).toBe(byPassword)
  })

  test('that handshakes cannot be remembered is said once, and again after it went well', async () => {
    const serverDir = makeStateDir()
    const said: string[] = []
    const log = (severity: string, message: string): unknown =>
      severity === 'debug' || said.push(message.replace(/:.*/, ''))
    const server = await scramblesuitServer(serverOptions({ stateDir: serverDir, args, log }))
    const replays = join(serverDir, 'scramblesuit_replays')
    const serveThree = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        const { near, far } = await tcpPair()
        near.write(hello(Date.now()).bytes)
        await accept(server, far)
      }
    }
    const warning = 'state file scramblesuit_replays cannot be written (EISDIR)'
    mkdirSync(replays)
    await serveThree()
    expect(said).toEqual([warning])
    rmSync(replays, { recursive: true })
    await serveThree()
    rmSync(replays)
    mkdirSync(replays)
    await serveThree()
    expect(said).toEqual([warning, warning])
  })

  test('a peer that closes ends the wait at once', async () => {
    const { server } = await bridge()
    const { near, far } = await tcpPair()
    const accepted = accept(server, far)
    near.end(randomBytes(1531)) // fewer than any threshold
    await expect(accepted).rejects.toMatchObject({ code: 'PT_HANDSHAKE', stage: 'closed' })
    expect(far.destroyed).toBe(true)
  })
})
