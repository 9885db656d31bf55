/** Both kernels, against each other and against the protocol; frames.test.ts has the rules that a connection ends by. */
import { execFileSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FrameKernel, Opened } from '../../../../src/transports/obfs4/frames/kernel.ts'
import { plainKernel } from '../../../../src/transports/obfs4/frames/plain.ts'
import { simdKernel } from '../../../../src/transports/obfs4/frames/simd.ts'
import { framesLength } from '../../../../src/transports/obfs4/frames/sizes.ts'
import { root } from '../../../support.ts'
import { hex, transportVectors } from '../../../transport-vectors.ts'

const keys = hex(transportVectors.ntor.okm144).subarray(0, 72)
const simd = simdKernel()!
const kernels: readonly FrameKernel[] = [simd, plainKernel]

interface Received {
  readonly payload: Buffer
  readonly packets: readonly { type: number; payload: Buffer }[]
  readonly held: Buffer
  readonly failure: Opened['failure']
}

/** What a kernel makes of a stream in these chunks. */
function receive(kernel: FrameKernel, chunks: readonly Uint8Array[], each: boolean, int = randomInt): Received {
  const opening = kernel.opening(keys, int)
  const [payloads, packets]: [Buffer[], { type: number; payload: Buffer }[]] = [[], []]
  let held: Buffer = Buffer.alloc(0)
  let failure: Opened['failure']
  for (const chunk of chunks) {
    const opened = opening.open(held, chunk, (type, payload) => packets.push({ type, payload }), each)
    payloads.push(Buffer.from(opened.payload))
    held = opened.rest
    failure = opened.failure
    if (failure !== undefined) break
  }
  return { payload: Buffer.concat(payloads), packets, held, failure }
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end))
}

test('this machine runs both', () => {
  expect(kernels.map(({ name }) => name)).toEqual(['simd', 'plain'])
})

describe('both kernels', () => {
  test('make the same frame of every length of payload, 0 to 1427', () => {
    const [one, other] = kernels.map((kernel) => kernel.sealing(keys))
    const bytes = randomBytes(1_427)
    for (let length = 0; length <= 1_427; length++) {
      const padding = length % 5 === 0 ? randomInt(1_428 - length) : 0
      const [a, b] = [one!, other!].map((sealing) => sealing.frame(length & 255, bytes.subarray(0, length), padding))
      if (!a!.equals(b!)) expect.fail(`a payload of ${length} bytes and padding of ${padding}`)
    }
  })

  test('make the same bursts', () => {
    const paddings = fc.array(fc.nat(1_427), { maxLength: 3 })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5_000), paddings), { maxLength: 5 }), (writes) => {
        const [one, other] = kernels.map((kernel) => kernel.sealing(keys))
        for (const [size, list] of writes) {
          const payload = randomBytes(size)
          const burst = Buffer.from(one!.burst(payload, list))
          expect(burst.equals(other!.burst(payload, list))).toBe(true)
          expect(burst).toHaveLength(framesLength(size) + list.reduce((sum, padding) => sum + 21 + padding, 0))
        }
      }),
      { numRuns: 60 },
    )
  })

  test.each([131_072, 129_857, 129_858, 400_000])('a write of %i bytes, which is more than one call takes', (size) => {
    const payload = randomBytes(size)
    const [burst, other] = kernels.map((kernel) => Buffer.from(kernel.sealing(keys).burst(payload, [10, 1_427])))
    expect(burst!.equals(other!)).toBe(true)
    const chunks = Array.from({ length: Math.ceil(burst!.length / 65_536) }, (_, i) =>
      burst!.subarray(i * 65_536, (i + 1) * 65_536),
    )
    expect(receive(simd, chunks, false).payload.equals(payload)).toBe(true)
  })

  test('open the same from any chunks, and keep the same of a frame that is not whole', () => {
    const packet = fc.record({ type: fc.constantFrom(0, 0, 0, 1, 9), size: fc.nat(1_427), padding: fc.nat(30) })
    const cuts = fc.array(fc.nat(20_000), { maxLength: 8 })
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 8 }), cuts, fc.nat(2_000), fc.boolean(), (list, cuts, short, each) => {
        const sealing = plainKernel.sealing(keys)
        const sent = list.map(({ type, size }) => ({ type, payload: randomBytes(size) }))
        const frames = sent.map(({ type, payload }, i) =>
          sealing.frame(type, payload, Math.min(list[i]!.padding, 1_427 - payload.length)),
        )
        const wire = Buffer.concat(frames)
        const chunks = cutAt(wire.subarray(0, Math.max(0, wire.length - short)), cuts)
        const [one, other] = kernels.map((kernel) => receive(kernel, chunks, each))
        expect(one).toEqual(other)
        if (short > 0) return
        const packets = each ? sent : sent.filter(({ type }) => type !== 0)
        const payloads = each ? [] : sent.filter(({ type }) => type === 0).map(({ payload }) => payload)
        const payload = Buffer.concat(payloads)
        expect(one).toEqual({ payload, packets, held: Buffer.alloc(0), failure: undefined })
      }),
      { numRuns: 150 },
    )
  })

  test('fail at the same byte, with the same payloads before, whatever bit was turned over', () => {
    const sealing = simd.sealing(keys)
    const wire = Buffer.concat([sealing.burst(randomBytes(2_000), [30]), Buffer.alloc(3_000)])
    for (let times = 0; times < 400; times++) {
      const bit = times < 144 ? times : randomInt(8 * (wire.length - 3_000))
      const broken = Buffer.from(wire)
      broken.writeUInt8(broken.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      const length = randomInt(1_431)
      const chunks = cutAt(broken, [randomInt(3_000)])
      const [one, other] = kernels.map((kernel) => receive(kernel, chunks, false, () => length))
      expect(one!.failure).toBe('altered')
      expect(one).toEqual(other)
    }
  })

  test('do not mix up the connections that take turns', () => {
    const connections = kernels
      .flatMap((kernel) => [kernel, kernel, kernel])
      .map((kernel) => {
        const own = randomBytes(72)
        return {
          sealing: kernel.sealing(own),
          opening: kernel.opening(own, randomInt),
          held: Buffer.alloc(0),
        }
      })
    for (let turn = 0; turn < 300; turn++) {
      const connection = connections[randomInt(connections.length)]!
      const payload = randomBytes(randomInt(4_000))
      const wire = Buffer.concat([connection.held, connection.sealing.burst(payload, [])])
      const opened = connection.opening.open(Buffer.alloc(0), wire, () => undefined, false)
      expect(opened.payload.equals(payload)).toBe(true)
    }
  })
})

describe('the memory of the kernel in WebAssembly', () => {
  const { memory } = simd
  const seal = (payload: Uint8Array): Buffer => simd.sealing(keys).burst(payload, [])

  test('bytes that lie where input is read come to the same frames', () => {
    const payload = randomBytes(memory.input.length)
    const copied = Buffer.from(seal(payload))
    memory.input.set(payload)
    expect(seal(memory.input).equals(copied)).toBe(true)
    memory.input.set(payload)
    expect(seal(memory.input.subarray(0, 1_000)).equals(copied.subarray(0, 1_021))).toBe(false)
    memory.input.set(payload)
    expect(seal(memory.input.subarray(0, 1_000)).equals(seal(payload.subarray(0, 1_000)))).toBe(true)
  })

  test('what is given is overwritten by the next call, and kept while it is held', () => {
    const given = seal(randomBytes(1_000))
    const before = Buffer.from(given)
    seal(randomBytes(1_000))
    expect(given.equals(before)).toBe(false)
    const kept = seal(randomBytes(1_000))
    const copy = Buffer.from(kept)
    const release = memory.hold!()
    for (let times = 0; times < 3; times++) seal(randomBytes(100_000))
    expect(kept.equals(copy)).toBe(true)
    release()
    // The place that was given back is the next to be held for.
    seal(randomBytes(1_000))
    memory.hold!()()
    seal(randomBytes(1_000))
    expect(kept.equals(copy)).toBe(false)
  })

  test('of more than can be held, copies are given', () => {
    const releases: (() => void)[] = []
    const given: Buffer[] = []
    const copies: Buffer[] = []
    for (let times = 0; times < 100; times++) {
      given.push(seal(randomBytes(2_000)))
      copies.push(Buffer.from(given.at(-1)!))
      releases.push(memory.hold!())
    }
    expect(given.every((bytes, at) => bytes.equals(copies[at]!))).toBe(true)
    expect(given.filter(({ buffer }) => buffer === memory.input.buffer)).toHaveLength(31)
    for (const release of releases) release()
    expect(seal(randomBytes(10)).buffer).toBe(memory.input.buffer)
  })
})

test('5,000 connections at once, and again: a connection has no place of its own in the module to run out of', () => {
  for (let times = 0; times < 2; times++) {
    const connections = Array.from({ length: 5_000 }, () => {
      const own = randomBytes(72)
      return { sealing: simd.sealing(own), opening: simd.opening(own, randomInt) }
    })
    for (const { sealing, opening } of connections.toReversed()) {
      const { payload } = opening.open(
        Buffer.alloc(0),
        sealing.burst(Buffer.from('hello'), [9]),
        () => undefined,
        false,
      )
      if (String(payload) !== 'hello') expect.fail(String(payload))
    }
  }
})

describe('where WebAssembly or its vectors are missing', () => {
  const chosen = (...flags: string[]): string =>
    execFileSync(
      process.execPath,
      [
        ...flags,
        '--input-type=module',
        '--eval',
        `const { frameKernel } = await import(${JSON.stringify(join(root, 'dist/transports/obfs4/frames.js'))})
         process.stdout.write(frameKernel().name)`,
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    )

  test('the kernel in JavaScript is chosen', () => {
    expect(chosen()).toBe('simd')
    expect(chosen('--no-enable-sse4-1')).toBe(process.arch === 'x64' ? 'plain' : 'simd')
    expect(chosen('--jitless')).toBe('plain')
  })
})
