/** Cases: the bytes arrive, whatever their number and however the network cuts them; ends and back-pressure are passed on. */
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { readExactly } from '../io/read.ts'
import type { Transport } from '../transport.ts'
import type { Cases, TransportCase } from './case.ts'
import type { Lab, Wire } from './lab.ts'
import { openLab } from './lab.ts'
import type { Settings } from './settings.ts'
import type { Delivery } from './tap.ts'
import { exchange, gone, receive, send, within } from './wait.ts'

const MiB = 1024 * 1024
/** Around the payload of obfs4's frames and of an Ethernet segment, and a buffer of Node. */
const SIZES = [0, 1, 1427, 1448, 65536, 4 * MiB]
/** How many bytes that are not taken a transport and the buffers around it may hold. */
const HELD_LIMIT = 2 * MiB
const STILL_MS = 250

async function exchangeOnce(lab: Lab, size: number): Promise<void> {
  const { halfClose, patience } = lab.settings
  // Not one after the other: the server may have sent something by the time that the client's handshake ends.
  const done = exchange(lab.dial(), lab.next(), size, halfClose)
  await within(patience + size / 200, `${size} bytes went each way`, done)
}

const splits: readonly { readonly name: string; readonly delivery: Delivery; readonly size: number }[] = [
  { name: 'one byte at a time', delivery: () => 1, size: 3000 },
  { name: 'in pieces of random size', delivery: () => randomInt(1, 100), size: 30_000 },
  { name: 'gathered, so that bytes come right after the handshake', delivery: 'gathered', size: 3000 },
]

/** `wire` splits the first chunk after byte `at`. */
function splitAt(at: number): Wire {
  const once = (): { delivery: Delivery } => {
    let first = true
    return {
      delivery: (left) => {
        const size = first ? Math.min(at, left) : left
        first = false
        return size
      },
    }
  }
  return { client: once(), server: once() }
}

const byteCases: Cases = (transport, settings) => [
  ...SIZES.map((size) => ({
    name: `${size} bytes go each way, whole and in order`,
    run: async () => {
      await using lab = await openLab(transport, settings)
      await exchangeOnce(lab, size)
    },
  })),
  ...splits.map(({ name, delivery, size }) => ({
    name: `the wire may deliver ${name}`,
    run: async () => {
      await using lab = await openLab(transport, settings, { client: { delivery }, server: { delivery } })
      await exchangeOnce(lab, size)
    },
  })),
  {
    name: 'the wire may split the first bytes anywhere',
    run: async () => {
      const random = Array.from({ length: 16 }, () => randomInt(33, 4096))
      for (const at of [...Array.from({ length: 32 }, (_, index) => index + 1), ...random]) {
        await using lab = await openLab(transport, settings, splitAt(at))
        await exchangeOnce(lab, 100)
      }
    },
  },
  {
    name: 'the server may speak first',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const { near, far } = await lab.open()
      const greeting = randomBytes(100)
      const accepted = await within(settings.patience, 'accept() has resolved', far)
      await Promise.all([
        send(accepted, greeting, false),
        within(settings.patience, 'the greeting has arrived', receive(near, greeting, false)),
      ])
    },
  },
  {
    name: 'two connections at once have nothing to do with each other',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const [first, second] = await within(settings.patience, 'two connections are made at once', openTwo(lab))
      const both = Promise.all([first, second].map(({ near, far }) => exchange(near, far, 1000, false)))
      await within(settings.patience, 'both carry', both)
      first.near.destroy()
      await gone(settings.patience, 'the server sees the end of the first', first.far)
      await within(settings.patience, 'the second still carries', exchange(second.near, second.far, 30_000, false))
    },
  },
]

interface Ends {
  readonly near: Duplex
  readonly far: Duplex
}

/** Dials twice at once, and finds out which end belongs to which. */
async function openTwo(lab: Lab): Promise<[Ends, Ends]> {
  const [near, other, ...fars] = await Promise.all([lab.dial(), lab.dial(), lab.next(), lab.next()])
  near.write(Buffer.of(1))
  other.write(Buffer.of(2))
  const marks = await Promise.all(fars.map(async (far) => (await readExactly(far, 1))[0]))
  assert.deepEqual(new Set(marks), new Set([1, 2]), 'the first bytes of two connections are not what was sent')
  const [one, two] = marks[0] === 1 ? fars : fars.toReversed()
  return [
    { near, far: one! },
    { near: other, far: two! },
  ]
}

/** One side has said its last byte; the other goes on. */
function halfCloseCase(transport: Transport, settings: Settings, clientFirst: boolean): TransportCase {
  const [one, other] = clientFirst ? ['client', 'server'] : ['server', 'client']
  return {
    name: `the end of what the ${one} sends leaves the other direction open`,
    run: async () => {
      await using lab = await openLab(transport, settings)
      const { near, far } = await lab.open()
      await within(settings.patience, '1 byte went each way', exchange(near, far, 1, false))
      const [ending, going] = clientFirst ? [near, await far] : [await far, near]
      const [last, answer] = [randomBytes(300_000), randomBytes(300_000)]
      const heard = receive(going, last, true)
      await within(settings.patience, `the ${other} has seen the end`, Promise.all([send(ending, last, true), heard]))
      const answered = Promise.all([send(going, answer, true), receive(ending, answer, true)])
      await within(settings.patience, `the answer of the ${other} has arrived whole`, answered)
      await lab.expectClosed()
    },
  }
}

/** Without half-close: all that was sent arrives before the connection ends. */
function closeCase(transport: Transport, settings: Settings, clientFirst: boolean): TransportCase {
  const [one, other] = clientFirst ? ['client', 'server'] : ['server', 'client']
  return {
    name: `when the ${one} ends, the ${other} has all its bytes and then the end`,
    run: async () => {
      await using lab = await openLab(transport, settings)
      const { near, far } = await lab.open()
      await within(settings.patience, '1 byte went each way', exchange(near, far, 1, false))
      const [ending, going] = clientFirst ? [near, await far] : [await far, near]
      const last = randomBytes(300_000)
      const arrived = receive(going, last, false)
      await within(settings.patience, 'the last bytes have arrived', Promise.all([send(ending, last, true), arrived]))
      await gone(settings.patience, `the ${other} sees the end`, going)
    },
  }
}

/** Waits until `count` has not grown for a while; it must not pass the limit before. */
async function settled(count: () => number): Promise<void> {
  for (let seen = -1; seen < count();) {
    seen = count()
    assert.ok(seen < HELD_LIMIT, `${seen} bytes are held that are not taken, and no end is in sight`)
    await pause(STILL_MS)
  }
}

/** The client sends more than may be held. `hold` stops one place of the way and says what has passed the transport. */
async function press(lab: Lab, hold: (taken: () => number) => () => number, release: () => void): Promise<void> {
  const { patience } = lab.settings
  const { near, far } = await lab.open()
  await within(patience, '1 byte went each way', exchange(near, far, 1, false))
  const payload = Buffer.alloc(2 * HELD_LIMIT, 'back-pressure ')
  let taken = 0
  const count = hold(() => taken)
  const before = count()
  const sent = send(near, payload, false, (size) => (taken += size))
  sent.catch(() => {})
  await settled(() => count() - before)
  release()
  const arrived = Promise.all([sent, receive(await far, payload, false)])
  await within(patience + payload.length / 200, 'what was held back has arrived', arrived)
}

const pressureCases: Cases = (transport, settings) => [
  {
    name: 'a network that takes nothing stops the application, and memory is bounded',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const hold = (taken: () => number): (() => number) => {
        for (const wire of lab.clientWires) wire.stall()
        return taken
      }
      await press(lab, hold, () => lab.clientWires.forEach((wire) => wire.release()))
    },
  },
  {
    name: 'an application that reads nothing stops the network, and memory is bounded',
    run: async () => {
      await using lab = await openLab(transport, settings)
      const received = (): number => lab.serverWires.reduce((sum, wire) => sum + wire.received, 0)
      // A transport that polls goes on to ask, so its wires never become still.
      const hold = (taken: () => number): (() => number) => (settings.outlivesConnections ? taken : received)
      await press(lab, hold, () => {})
    },
  },
]

export const streamCases: Cases = (transport, settings) => [
  ...byteCases(transport, settings),
  ...[true, false].map((clientFirst) =>
    (settings.halfClose ? halfCloseCase : closeCase)(transport, settings, clientFirst),
  ),
  ...pressureCases(transport, settings),
]
