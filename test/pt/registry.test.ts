import { expect, test } from 'vitest'
import { PtError } from '../../src/error.ts'
import { isTransport, loadTransport, registry } from '../../src/pt/registry.ts'
import { plain } from './support.ts'

test('NAME-2: two transports under one name are PT_NAME', () => {
  const attempt = (): unknown => registry([plain(), { name: 'plain', load: () => Promise.resolve(plain()) }])
  expect(attempt).toThrow(expect.objectContaining({ code: 'PT_NAME', message: expect.stringContaining('plain') }))
})

test('a name that is no C identifier is PT_NAME', () => {
  expect(() => registry([plain({ name: 'no-dash' })])).toThrow(PtError)
})

test('a lazy transport is loaded when it is asked for and not before', async () => {
  let loads = 0
  const lazy = { name: 'plain', load: () => Promise.resolve((loads++, plain())) }
  const entry = registry([lazy]).get('plain')!
  expect(loads).toBe(0)
  expect((await loadTransport(entry)).name).toBe('plain')
  expect(loads).toBe(1)
})

test.each([
  undefined,
  null,
  'plain',
  {},
  { name: 'x' },
  { name: 'x', client() {} },
  { name: 1, client() {}, server() {} },
])('%j is no transport', (value) => {
  expect(isTransport(value)).toBe(false)
})
