import { expect, test } from 'vitest'
import { collectYoungBy, leaveYoung } from '../../src/io/young-memory.ts'

test('young objects are collected after each 2 MB that are needed no more, and only if a process says how', () => {
  leaveYoung(5_000_000)
  let collected = 0
  collectYoungBy(() => collected++)
  leaveYoung(1_999_999)
  expect(collected).toBe(0)
  leaveYoung(1)
  expect(collected).toBe(1)
  for (let i = 0; i < 400; i++) leaveYoung(16_384)
  expect(collected).toBe(4)
})
