/**
 * What a processor's caches and branch predictor see of an attempt at a key pair: nothing of its seed. The module is compiled
 * with a call at each access to memory and at each place where its code divides, and all seeds give the same calls in the
 * same order. memory.copy is not seen, and has constant operands everywhere.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../../support.ts'

interface Traced {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly SEED: { readonly value: number }
  readonly REPRESENTATIVE: { readonly value: number }
  attempt(): number
  decode(): void
}

interface TracingWebAssembly {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: object }
}

const { Module, Instance } = (globalThis as unknown as { WebAssembly: TracingWebAssembly }).WebAssembly
const text = execFileSync(process.execPath, [join(root, 'scripts/kernel.mjs'), '--traced', 'elligator2.ts'], {
  encoding: 'utf8',
})

/** Of the calls since begin(): how many there were, and a hash of them and their order. */
const trace = { calls: 0, hash: 0 }
const note = (value: number): void => {
  trace.calls++
  trace.hash = (Math.imul(trace.hash, 0x01000193) ^ value) | 0
}
const access = (id: number, _bytes: number, offset: number, address: number): number => {
  note(id)
  note(offset + address)
  return address
}
/** Of a value that is read or written, nothing is noted. */
const pass = (_id: number, value: number | bigint): number | bigint => value

const env = {
  log_execution: note,
  load_ptr: access,
  store_ptr: access,
  ...Object.fromEntries(
    ['i32', 'i64', 'f32', 'f64'].flatMap((type) =>
      [`load_val_${type}`, `store_val_${type}`].map((name) => [name, pass]),
    ),
  ),
  memory_grow_pre: pass,
  memory_grow_post: pass,
}
const traced = new Instance(new Module(Buffer.from(text, 'base64')), { env }).exports as Traced
const memory = Buffer.from(traced.memory.buffer)

function traceOf(run: () => void): { readonly calls: number; readonly hash: number } {
  trace.calls = 0
  trace.hash = 0
  run()
  return { ...trace }
}

function attempt(seed: Uint8Array): { readonly calls: number; readonly hash: number } {
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
