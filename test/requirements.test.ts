import { expect, it } from 'vitest'
import { idsIn } from '../scripts/docs.mjs'
import { testFilesWith, testTitles, titlesOf } from '../scripts/titles.mjs'
import { errorCodes } from '../src/error.ts'
import { requirements } from '../src/ipc/requirements.ts'

/** What no test shows yet. What is shown must leave these lists, so they can only shrink. */
const pending: readonly string[] = [
  'ARCH-2',
  'ARCH-3',
  'ARCH-4',
  'FLOW-1',
  'FLOW-2',
  'FLOW-3',
  'FLOW-4',
  'FLOW-5',
  'FLOW-7',
  'ENV-5',
  'ENV-6',
  'ENV-7',
  'ENV-8',
  'CENV-3',
  'SENV-10',
  'VER-1',
  'VER-3',
  'ERR-2',
  'PROXY-1',
  'PROXY-2',
  'PROXY-3',
  'CM-1',
  'CM-2',
  'CM-3',
  'CM-4',
  'CM-5',
  'SM-1',
  'SM-2',
  'SM-5',
  'SM-6',
  'LOG-2',
  'STOP-1',
  'STOP-2',
  'STOP-3',
  'STOP-4',
  'ARGS-3',
  'ARGS-4',
  'ARGS-5',
  'ARGS-6',
  'ANON-1',
  'ANON-2',
  'ANON-3',
  'EXT-1',
  'EXT-2',
  'EXT-3',
]
const pendingCodes: readonly string[] = [
  'PT_SOCKS',
  'PT_SOCKS_REFUSED',
  'PT_EXTOR',
  'PT_EXTOR_AUTH',
  'PT_EXTOR_DENIED',
  'PT_CONNECT',
  'PT_PROXY',
  'PT_HANDSHAKE',
]

const ids = requirements.map((requirement) => requirement.id)
const families = new Set(ids.map((id) => id.replace(/\d+$/, '')))
const titles: readonly { readonly file: string; readonly title: string }[] = testTitles()
const carried = new Set(titles.flatMap(({ title }) => idsIn(title)))

it('every requirement has an id of its own', () => {
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toHaveLength(83)
  for (const id of ids) expect(id).toMatch(/^[A-Z]+-\d+$/)
})

it('every requirement has a test whose title carries its id', () => {
  expect(ids.filter((id) => !carried.has(id))).toEqual(pending)
})

it('no title names a requirement that does not exist', () => {
  // In front of a colon stand ids only; elsewhere UTF-8 and SHA-256 may stand.
  const unknown = titles.filter(({ title }) => {
    const inFront = /^((?:[A-Z]+-\d+(?:, )?)+): /.exec(title)?.[1] ?? ''
    const named = idsIn(title).filter((id) => families.has(id.replace(/\d+$/, '')))
    return [...idsIn(inFront), ...named].some((id) => !ids.includes(id))
  })
  expect(unknown).toEqual([])
})

it('every error code has a test that names it', () => {
  const codes = Object.keys(errorCodes)
  expect(codes.filter((code) => testFilesWith(code).length === 0)).toEqual(pendingCodes)
})

it('titles are found in every form of it and test', () => {
  const source = `
    it('A-1: plain', () => {})
    test("A-2: it's quoted", async () => {})
    it.each([[1, 'A-9: a row'], ['(', 2]])(
      'A-3: %s', () => {})
    it.skipIf(process.platform === 'win32')(\`A-4: \${name} is cut\`, () => {})
    test.each\`a | b\`('A-5: a table', () => {})
    describe('A-9: a group', () => { it.concurrent('A-6: within', () => {}) })
    it.skip('A-9: skipped', () => {})
    it.todo('A-9: to do')
    // it('A-9: a comment', () => {})
    const text: string = "it('A-9: a string', () => {})"
    expect(visit('A-9: another function')).toBe(1)`
  expect(titlesOf(source)).toEqual([
    'A-1: plain',
    "A-2: it's quoted",
    'A-3: %s',
    'A-4: … is cut',
    'A-5: a table',
    'A-6: within',
  ])
})
