/** Of a message and its key nothing shows but their length: all give the same accesses and branches in the same order. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Trace } from '../traced-kernel.ts'
import { tracedKernel } from '../traced-kernel.ts'

interface Traced {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly KEY: { readonly value: number }
  readonly MESSAGE: { readonly value: number }
  setKey(): void
  begin(length: number): void
  end(length: number): void
}

const { exports: traced, memory, traceOf } = tracedKernel<Traced>('hmac.ts')

function mac(key: Uint8Array, message: Uint8Array): Trace {
  memory.set(key, traced.KEY.value)
  memory.set(message, traced.MESSAGE.value)
  return traceOf(() => {
    traced.setKey()
    traced.begin(message.length)
    traced.end(message.length)
  })
}

describe('constant time', () => {
  test.each([0, 32, 55, 56, 236, 4_000])('HMAC of %i bytes', (length) => {
    const first = mac(Buffer.alloc(64), Buffer.alloc(length))
    expect(first.calls).toBeGreaterThan(1_000)
    for (const byte of [0x01, 0x80, 0xff]) {
      expect(mac(Buffer.alloc(64, byte), Buffer.alloc(length, byte))).toEqual(first)
    }
    for (let i = 0; i < 20; i++) expect(mac(randomBytes(64), randomBytes(length))).toEqual(first)
  })

  test('another number of blocks is seen', () => {
    expect(mac(Buffer.alloc(64), Buffer.alloc(55))).not.toEqual(mac(Buffer.alloc(64), Buffer.alloc(56)))
  })
})
