import fc from 'fast-check'
import { expect, test } from 'vitest'
import { randomPiece } from '../../src/crypto/random.ts'

test('pieces have their lengths, also more than is drawn at once', () => {
  for (const length of [0, 1, 33, 8_128, 65_535, 65_536, 65_537, 200_000])
    expect(randomPiece(length)).toHaveLength(length)
})

test('no byte is given out twice: pieces that are alive never overlap, and keep what they hold', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 60 }), (lengths) => {
      const pieces = lengths.map((length) => randomPiece(length))
      const copies = pieces.map((piece) => Buffer.from(piece))
      const ranges = pieces.map((piece) => ({
        of: piece.buffer,
        from: piece.byteOffset,
        to: piece.byteOffset + piece.length,
      }))
      for (const [i, a] of ranges.entries()) {
        for (const b of ranges.slice(i + 1)) expect(a.of !== b.of || a.to <= b.from || b.to <= a.from).toBe(true)
      }
      expect(pieces).toEqual(copies)
    }),
    { numRuns: 30 },
  )
})

test('what is given out looks random: all values, none of them often', () => {
  const counts = new Map<number, number>()
  for (let i = 0; i < 2_000; i++) for (const byte of randomPiece(33)) counts.set(byte, (counts.get(byte) ?? 0) + 1)
  expect(counts.size).toBe(256)
  // 66,000 bytes: 258 of each on average, with a deviation of 16.
  for (const count of counts.values()) expect(Math.abs(count - 258)).toBeLessThan(160)
})
