import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { weightedDist } from '../../../src/crypto/weighted-dist.ts'
import type { Codec, PacedCodec } from '../../../src/io/carry/codec.ts'
import type { IatMode } from '../../../src/transports/obfs4/cert.ts'
import { obfs4Codec } from '../../../src/transports/obfs4/codec.ts'
import { maxFrameLength, packetOverhead } from '../../../src/transports/obfs4/constants.ts'
import { systemMachine } from '../../../src/transports/obfs4/machine.ts'
import { FrameOpener, FrameSealer } from '../../../src/transports/obfs4/frames.ts'
import { pauses, randomPieces } from '../../../src/transports/obfs4/iat.ts'
import { burstPadding } from '../../../src/transports/obfs4/padding.ts'
import type { Shape } from '../../../src/transports/obfs4/shape.ts'
import { shapeCache, shapeOf } from '../../../src/transports/obfs4/shape.ts'
import { hex, transportVectors } from '../../transport-vectors.ts'
import { repeatable } from './support.ts'

const keys = hex(transportVectors.ntor.okm144).subarray(0, 72)

/** A codec whose targets and pauses are those of a list, the last one again and again. */
function codecOf(iatMode: IatMode, targets: readonly number[], pausesOf: readonly number[] = [0]) {
  const slept: number[] = []
  const [lengths, waits] = [[...targets], [...pausesOf]]
  const shape: Shape = {
    length: () => (lengths.length > 1 ? lengths.shift()! : lengths.at(0)!),
    pause: () => (waits.length > 1 ? waits.shift()! : waits.at(0)!),
  }
  const uptime = (): number => slept.reduce((sum, ms) => sum + ms, 0)
  const machine = { ...systemMachine, uptime, sleep: async (ms: number) => void slept.push(ms) }
  const [sealer, opener] = [new FrameSealer(keys), new FrameOpener(keys, (n) => n - 1)]
  const codec = obfs4Codec({ sealer, opener, iatMode, shape: () => shape, machine })
  return { codec, slept }
}

async function send(codec: Codec | PacedCodec, payload: Uint8Array): Promise<Buffer[]> {
  const pieces: Buffer[] = []
  if ('encode' in codec) pieces.push(Buffer.from(codec.encode(payload)))
  else await codec.send(payload, async (bytes) => void pieces.push(Buffer.from(bytes)))
  return pieces
}

/** What a receiver of the pieces gets. */
function received(pieces: readonly Buffer[]): Buffer {
  const reader = new FrameOpener(keys, (n) => n - 1)
  const payloads = pieces.flatMap((piece) => [...reader.open(piece)].map((packet) => packet.payload))
  expect(reader.pending).toBe(false)
  return Buffer.concat(payloads)
}

describe('burstPadding', () => {
  test.each([
    // length, target, paddings
    [0, 0, []],
    [26, 26, []],
    [1448, 0, []],
    [1448 * 3 + 5, 5, []],
    [26, 100, [100 - 26 - 21]],
    [26, 26 + 22, [1]],
    [26, 26 + 21, [1427, 21]],
    [26, 27, [1427, 1]],
    [100, 99, [1448 - 1 - 21]],
    [1440, 10, [1427, 18]],
    [1440, 14, [1448 - 1440 + 14 - 21]],
    [1448, 1448, [1427]],
    [0, 1448, [1427]],
  ] as const)('a burst of %i bytes to %i: %j', (length, target, expected) => {
    expect(burstPadding(length, target)).toEqual(expected)
  })

  test('ends at the target, or 21 bytes behind it where fewer than 22 bytes were missing', () => {
    fc.assert(
      fc.property(fc.nat(20_000), fc.nat(maxFrameLength), (length, target) => {
        const paddings = burstPadding(length, target)
        const total = paddings.reduce((sum, padding) => sum + packetOverhead + padding, length)
        const missing = (((target - length) % maxFrameLength) + maxFrameLength) % maxFrameLength
        const behind = missing > 0 && missing <= packetOverhead ? packetOverhead : 0
        expect(total % maxFrameLength).toBe((target + behind) % maxFrameLength)
        for (const padding of paddings) expect(padding).toBeLessThanOrEqual(1427)
      }),
    )
  })
})

describe('iat-mode 0', () => {
  test('sends each write as one burst of the sampled length', async () => {
    for (const size of [0, 1, 1427, 1428, 5_000]) {
      const payload = repeatable(size).randomBytes(size)
      const [burst, ...others] = await send(codecOf(0, [700]).codec, payload)
      expect(others).toEqual([])
      expect(burst!.length % maxFrameLength).toBe(700)
      expect(received([burst!])).toEqual(payload)
    }
  })
})

describe('iat-mode 1', () => {
  test('sends a padded burst in pieces of a frame’s length, and pauses behind each', async () => {
    const { codec, slept } = codecOf(1, [700], [30])
    const payload = repeatable(1).randomBytes(4_000)
    const pieces = await send(codec, payload)
    expect(pieces.map((piece) => piece.length)).toEqual([1448, 1448, 1448, 700])
    expect(slept).toEqual([3, 3, 3, 3])
    expect(received(pieces)).toEqual(payload)
  })
})

describe('iat-mode 2', () => {
  test('sends pieces of the sampled lengths, and pads the last one to its own', async () => {
    const { codec, slept } = codecOf(2, [300, 500, 0, 0, 900], [10])
    const payload = repeatable(2).randomBytes(1_000)
    const pieces = await send(codec, payload)
    expect(pieces.map((piece) => piece.length)).toEqual([300, 500, 900])
    expect(slept).toEqual([1, 1, 1])
    expect(received(pieces)).toEqual(payload)
  })

  test('cuts a burst anew that padding took beyond its target', async () => {
    // 21 + 79 bytes and 10 more are missing: 1448 + 21 + 10 are added, and 1400 are the next piece.
    const pieces = await send(codecOf(2, [110, 1400, 500]).codec, repeatable(3).randomBytes(79))
    expect(pieces.map((piece) => piece.length)).toEqual([1400, 500])
    expect(received(pieces)).toEqual(repeatable(3).randomBytes(79))
  })

  test.each([
    ['zeros only', [0]],
    ['a target that padding misses each time', [147]],
    ['targets smaller than any packet', [5]],
  ])('ends with %s, as a peer may choose them', async (_what, targets) => {
    const payload = repeatable(4).randomBytes(3_000)
    const pieces = await send(codecOf(2, targets).codec, payload)
    expect(received(pieces)).toEqual(payload)
    expect(Buffer.concat(pieces).length).toBeLessThan(40_000)
  })

  test('carries everything whatever the targets are', async () => {
    const targets = fc.array(fc.integer({ min: 0, max: 1448 }), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(targets, fc.nat(4_000), async (list, size) => {
        const payload = repeatable(size).randomBytes(size)
        expect(received(await send(codecOf(2, list).codec, payload))).toEqual(payload)
      }),
      { numRuns: 50 },
    )
  })

  test('an empty burst is nothing', () => {
    expect([
      ...randomPieces(
        Buffer.alloc(0),
        () => 5,
        () => Buffer.alloc(5),
      ),
    ]).toEqual([])
  })
})

describe('pauses', () => {
  /** A clock that only sleeps move, each by what it was asked for less `early`. */
  const clock = (early: readonly number[] = []) => {
    const slept: number[] = []
    let time = 1_000.9
    const sleep = async (ms: number): Promise<void> => {
      time += ms - (early[slept.length] ?? 0)
      slept.push(ms)
    }
    const pause = pauses({ ...systemMachine, uptime: () => time, sleep })
    return { slept, pause: (units: number) => pause({ length: () => 0, pause: () => units }) }
  }

  test.each([
    // units of 100 µs, milliseconds
    [0, []],
    [1, [1]],
    [9, [1]],
    [10, [1]],
    [11, [2]],
    [34, [4]],
    [99, [10]],
    [100, [10]],
  ] as const)('of %i units take whole milliseconds: %j', async (units, expected) => {
    const { slept, pause } = clock()
    await pause(units)
    expect(slept).toEqual(expected)
  })

  test('what one was too long is not taken from the next', async () => {
    const { slept, pause } = clock()
    for (let i = 0; i < 10; i++) await pause(7)
    expect(slept).toEqual(Array(10).fill(1))
  })

  test('go on if a timer was over too soon, until the time that was wanted has passed', async () => {
    const { slept, pause } = clock([0.4, 0.7, 0.9])
    await pause(30)
    expect(slept).toEqual([3, 1, 1])
  })
})

describe('a codec', () => {
  const iat = transportVectors.drbg.at(1)!

  test('passes seeds of 24 bytes on, and payloads only to the application', () => {
    const seeds: Buffer[] = []
    const sealer = new FrameSealer(keys)
    const codec = obfs4Codec({
      sealer,
      opener: new FrameOpener(keys, (n) => n - 1),
      iatMode: 0,
      shape: () => shapeOf(hex(iat.seed), systemMachine),
      onSeed: (seed) => seeds.push(seed),
      machine: systemMachine,
    })
    const wire = Buffer.concat([
      sealer.seal(1, hex(iat.seed), 0),
      sealer.seal(1, Buffer.alloc(23), 0),
      sealer.seal(7, Buffer.from('what is this'), 0),
      sealer.seal(0, Buffer.alloc(0), 100),
      sealer.seal(0, Buffer.from('text'), 5),
    ])
    expect(Buffer.concat([...codec.decode(wire)]).toString()).toBe('text')
    expect(seeds).toEqual([hex(iat.seed)])
    expect(() => codec.end?.()).not.toThrow()
    expect([...codec.decode(hex('00'))]).toEqual([])
    expect(() => codec.end?.()).toThrow(expect.objectContaining({ code: 'PT_CLOSED' }))
  })

  test('takes its shape from the seed, and that of its pauses from the seed’s hash', () => {
    const tables = (seed: string, max: number): number[] =>
      transportVectors.weighted_dist.find((table) => table.seed === seed && table.max === max && table.min === 0)!
        .values
    const shape = shapeOf(hex(iat.seed), systemMachine)
    const lengths = new Set(Array.from({ length: 2_000 }, () => shape.length()))
    expect([...lengths].filter((length) => !tables(iat.seed, 1448).includes(length))).toEqual([])
    const { values } = weightedDist(hex(iat.iat_seed), { min: 0, max: 100 }, { int: () => 0, float: () => 0 }).tables
    const pauses = new Set(Array.from({ length: 2_000 }, () => shape.pause()))
    expect([...pauses].filter((pause) => !values.includes(pause))).toEqual([])
    expect(pauses.size).toBeGreaterThan(values.length / 2)
  })

  test('shapes are kept for the seeds that were seen last', () => {
    const shapes = shapeCache(systemMachine, 2)
    const [a, b, c] = [1, 2, 3].map((byte) => Buffer.alloc(24, byte)) as [Buffer, Buffer, Buffer]
    const first = shapes(a)
    shapes(b)
    expect(shapes(a)).toBe(first)
    shapes(c)
    expect(shapes(a)).toBe(first)
    shapes(b)
    shapes(c)
    expect(shapes(a)).not.toBe(first)
  })
})
