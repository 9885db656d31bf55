/** Of an attempt at a key pair nothing shows of its seed: all seeds give the same accesses and branches in the same order. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Trace } from '../traced-kernel.ts'
import { tracedKernel } from '../traced-kernel.ts'

interface Traced {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly SEED: { readonly value: number }
  readonly REPRESENTATIVE: { readonly value: number }
  attempt(): number
  decode(): void
}

const { exports: traced, memory, traceOf, note, access } = tracedKernel<Traced>('elligator2.ts')

function attempt(seed: Uint8Array): Trace {
  memory.set(seed, traced.SEED.value)
  return traceOf(() => traced.attempt())
}

/** Seeds of extreme digits, of all components of low order, and random ones; keys and failures among them. */
const seeds: Buffer[] = [
  ...[0x00, 0x77, 0x88, 0xff].map((byte) => Buffer.alloc(33, byte)),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((component) => Buffer.alloc(33, 0x10 | component)),
  ...Array.from({ length: 20 }, () => randomBytes(33)),
]

describe('constant time', () => {
  // The first attempt makes the table.
  attempt(seeds[0]!)

  test('an attempt reads and writes the same places in the same order, whatever the seed, and whether it fails or not', () => {
    const first = attempt(seeds[0]!)
    expect(first.calls).toBeGreaterThan(20_000)
    const results = new Set<number>()
    for (const seed of seeds) {
      expect(attempt(seed)).toEqual(first)
      results.add(traced.attempt())
    }
    expect(results).toEqual(new Set([0, 1]))
  })

  test('to read a representative does too', () => {
    const decode = (representative: Uint8Array): object => {
      memory.set(representative, traced.REPRESENTATIVE.value)
      return traceOf(() => traced.decode())
    }
    const first = decode(Buffer.alloc(32))
    for (const seed of seeds) expect(decode(seed.subarray(0, 32))).toEqual(first)
  })

  test('what is noted tells other places apart', () => {
    expect(access(1, 4, 0, 8)).toBe(8)
    expect(traceOf(() => access(1, 4, 0, 8))).not.toEqual(traceOf(() => access(1, 4, 0, 16)))
    expect(traceOf(() => note(1))).not.toEqual(traceOf(() => note(2)))
  })
})
