import { randomBytes } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { memoizeByBytes } from '../../src/crypto/memoize.ts'
import { hmac, hmacKey } from '../../src/crypto/hmac.ts'

test('reads a key once, whichever memory its bytes are in', () => {
  const read = vi.fn(hmacKey)
  const cached = memoizeByBytes(64, read)
  const [bytes, others] = [randomBytes(32), randomBytes(32)]
  const key = cached(bytes)
  expect(cached(Buffer.concat([randomBytes(3), bytes]).subarray(3))).toBe(key)
  expect(cached(new Uint8Array(bytes))).toBe(key)
  expect(cached(others)).not.toBe(key)
  expect(hmac(cached(others), 'a message')).toEqual(hmac(others, 'a message'))
  expect(read).toHaveBeenCalledTimes(2)
})

test('holds a bounded number of keys', () => {
  const read = vi.fn(hmacKey)
  const cached = memoizeByBytes(64, read)
  const all = Array.from({ length: 1_000 }, () => randomBytes(20))
  for (const bytes of all) cached(bytes)
  read.mockClear()
  for (const bytes of all.reverse()) cached(bytes)
  expect(read.mock.calls.length).toBeGreaterThan(900)
})
