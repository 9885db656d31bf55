import { expect, it } from 'vitest'
import { idsIn } from '../scripts/docs.mjs'
import { testFilesWith, testTitles, titlesOf } from '../scripts/titles.mjs'
import { errorCodes } from '../src/error.ts'
import { requirements } from '../src/ipc/requirements.ts'

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
  expect(ids.filter((id) => !carried.has(id))).toEqual([])
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
  expect(codes.filter((code) => testFilesWith(code).length === 0)).toEqual([])
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
