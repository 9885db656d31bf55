import type { Socket } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { closeDelay } from '../../../src/transports/obfs4/server-identity.ts'
import { clientHandshake } from '../../../src/transports/obfs4/handshake-client.ts'
import { makeObfs4 } from '../../../src/transports/obfs4/make.ts'
import { settle, untilStill } from '../../io/streams.ts'
import { tempDir } from '../../support.ts'
import { hex } from '../../transport-vectors.ts'
import type { Listening } from './support.ts'
import {
  clientPair,
  drbgSeed,
  handshakeVector,
  identity,
  makeServer,
  repeatable,
  serve,
  tcp,
  vectorHour,
  vectorNow,
} from './support.ts'

const random = repeatable(20)
const closesAfter = 30_000 + 1_000 * closeDelay(drbgSeed)

function hello(hour: number, paddingLength = 77 + random.randomInt(3_000)): Buffer {
  return clientHandshake({ bridge: identity, pair: clientPair, hour, padding: random.randomBytes(paddingLength) }).hello
}

interface Probe {
  readonly socket: Socket
  readonly received: Buffer[]
}

/** Sends each probe on a connection of its own, in order, and waits until the server has read all of it. */
async function send(listening: Listening, probes: readonly Buffer[]): Promise<Probe[]> {
  const sent: Probe[] = []
  for (const bytes of probes) {
    const index = listening.sockets.length
    const socket = await tcp(listening.target)
    const received: Buffer[] = []
    socket.on('data', (chunk: Buffer) => received.push(chunk))
    if (bytes.length > 0) socket.write(bytes)
    while ((listening.sockets[index]?.bytesRead ?? -1) < bytes.length) await settle(1)
    sent.push({ socket, received })
  }
  await settle()
  return sent
}

const noBytes = (probes: readonly Probe[]): boolean => probes.every((probe) => probe.received.length === 0)
const open = (probes: readonly Probe[]): number =>
  probes.filter((probe) => !probe.socket.readableEnded && !probe.socket.closed).length

async function allClosed(probes: readonly Probe[]): Promise<void> {
  while (open(probes) > 0) await settle(1)
}

async function bridge(): Promise<Listening> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const options = {
    'private-key': handshakeVector.server_b,
    'node-id': handshakeVector.node_id,
    'drbg-seed': drbgSeed.toString('hex'),
  }
  return await serve(await makeServer(makeObfs4({ now: () => vectorNow }), tempDir(), options))
}

afterEach(() => void vi.useRealTimers())

/** What a prober may send, in ways that an honest client does not. */
const kinds: readonly (readonly [string, (i: number) => Buffer])[] = [
  ['random bytes of 0 to 10,000', (i) => random.randomBytes(Math.floor((i * 10_000) / 249))],
  ['valid hellos that were here before', () => hex(handshakeVector.client_hello)],
  ['hellos of a wrong hour', (i) => hello(vectorHour + (i % 2 === 0 ? 2 + (i % 40) : -2 - (i % 40)))],
  ['valid hellos with trailing bytes', (i) => Buffer.concat([hello(vectorHour), random.randomBytes(1 + (i % 100))])],
]

describe('a thousand probes', () => {
  test.each(kinds)(
    '250 with %s: not one byte back, and closed at the bridge’s own time and not before',
    async (_what, make) => {
      const listening = await bridge()
      // The hello of the vector is here once before.
      const [first] = await send(listening, [hex(handshakeVector.client_hello)])
      await listening.next()
      while (first!.received.length === 0) await settle(1)
      const probes = await send(
        listening,
        Array.from({ length: 250 }, (_, i) => make(i)),
      )
      expect(open(probes)).toBe(250)
      // More bytes make no difference to a connection that has failed or will.
      for (const { socket } of probes.slice(0, 20)) socket.write(random.randomBytes(9_000))
      await vi.advanceTimersByTimeAsync(closesAfter - 1)
      await untilStill(() => [open(probes), listening.failures.length, noBytes(probes)])
      expect([open(probes), listening.failures.length, noBytes(probes)]).toEqual([250, 0, true])
      await vi.advanceTimersByTimeAsync(1)
      await allClosed(probes)
      expect([listening.failures.length, noBytes(probes)]).toEqual([250, true])
      expect(first!.socket.closed).toBe(false)
    },
    30_000,
  )

  test('a hello with any bit flipped is a probe like any other', async () => {
    const listening = await bridge()
    const bytes = hex(handshakeVector.client_hello)
    const flips = Array.from({ length: bytes.length }, (_, at) => {
      const copy = Buffer.from(bytes)
      copy.writeUInt8(copy.readUInt8(at) ^ (1 << (at & 7)), at)
      return copy
    })
    const probes = await send(listening, flips)
    await vi.advanceTimersByTimeAsync(closesAfter - 1)
    await untilStill(() => [open(probes), noBytes(probes)])
    expect([open(probes), noBytes(probes)]).toEqual([bytes.length, true])
    await vi.advanceTimersByTimeAsync(1)
    await allClosed(probes)
    expect(noBytes(probes)).toBe(true)
  })
})

describe('how a failed handshake ends', () => {
  test('a peer that ends first is answered by an end at once', async () => {
    const listening = await bridge()
    const probes = await send(listening, [random.randomBytes(9_000), random.randomBytes(10), Buffer.alloc(0)])
    for (const { socket } of probes) socket.end()
    await allClosed(probes)
    expect(listening.failures).toHaveLength(3)
  })

  test('the time runs from accept, whatever came when', async () => {
    const listening = await bridge()
    const early = await send(listening, [random.randomBytes(10)])
    await vi.advanceTimersByTimeAsync(20_000)
    const late = await send(listening, [random.randomBytes(9_000)])
    for (const { socket } of early) socket.write(random.randomBytes(9_000))
    await vi.advanceTimersByTimeAsync(closesAfter - 20_000)
    await allClosed(early)
    expect(open(late)).toBe(1)
    await vi.advanceTimersByTimeAsync(20_000)
    await allClosed(late)
  })

  test('a hello that comes after 30 s comes too late', async () => {
    const listening = await bridge()
    const probes = await send(listening, [Buffer.alloc(0)])
    await vi.advanceTimersByTimeAsync(30_000)
    for (const { socket } of probes) socket.write(hello(vectorHour))
    await untilStill(() => [open(probes), noBytes(probes)])
    expect([open(probes), noBytes(probes)]).toEqual([1, true])
    await vi.advanceTimersByTimeAsync(closesAfter - 30_000)
    await allClosed(probes)
    expect(noBytes(probes)).toBe(true)
  })

  test('says in the log by how many hours a clock is off, and nothing about who it was', async () => {
    const listening = await bridge()
    await send(listening, [hello(vectorHour + 7)])
    while (listening.log.lines.length === 0) await settle(1)
    expect(listening.log.lines).toEqual([
      'info hour: the clock of a client is 7 h ahead of this bridge’s; if all clients fail, it is this one',
    ])
  })

  test('PT_HANDSHAKE: what ended it is for the log', async () => {
    const listening = await bridge()
    const replayed = hello(vectorHour)
    const [good] = await send(listening, [replayed])
    await send(listening, [replayed, random.randomBytes(9_000), hello(vectorHour + 3), random.randomBytes(100)])
    await vi.advanceTimersByTimeAsync(closesAfter)
    while (listening.failures.length < 4) await settle(1)
    const failures = listening.failures as (Error & { code: string; stage?: string })[]
    expect(failures.map(({ code, stage }) => `${code} ${stage}`).toSorted()).toEqual([
      'PT_HANDSHAKE mac',
      'PT_HANDSHAKE mark',
      'PT_HANDSHAKE undefined',
      'PT_TIMEOUT undefined',
    ])
    expect(good!.socket.closed).toBe(false)
  })
})
