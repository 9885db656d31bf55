import { expect, it } from 'vitest'
import { idsIn } from '../scripts/docs.mjs'
import { filesBelow, shownIn, testFilesWith, testTitles, textOf, titlesOf } from '../scripts/titles.mjs'
import { errorCodes } from '../src/error.ts'
import { requirements } from '../src/ipc/requirements.ts'
import { noteShown } from './shows.ts'

const ids = requirements.map((requirement) => requirement.id)
const families = new Set(ids.map((id) => id.replace(/\d+$/, '')))
const titles: readonly { readonly file: string; readonly title: string }[] = testTitles()

it('every requirement has an id of its own', () => {
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toHaveLength(83)
  for (const id of ids) expect(id).toMatch(/^[A-Z]+-\d+$/)
})

it('every requirement is shown by a test beside an assertion; that such a test has passed, the reporter looks after', () => {
  const shown = new Set(filesBelow('test', '.test.ts').flatMap((file: string) => shownIn(textOf(file))))
  expect(ids.filter((id) => !shown.has(id))).toEqual([])
})

it('a requirement counts only if its test has compared a value since the last one', () => {
  const test: { meta: { shows?: string[] } } = { meta: {} }
  expect(() => noteShown(test, 0, ['LINE-1'])).toThrow('no value was compared that shows LINE-1')
  expect(() => noteShown(test, 1, ['ENV-99'])).toThrow('there is no requirement ENV-99')
  noteShown(test, 1, ['LINE-1', 'LINE-2'])
  expect(() => noteShown(test, 1, ['LOG-1'])).toThrow('no value was compared that shows LOG-1')
  noteShown(test, 3, ['ENV-7'])
  expect(test.meta.shows).toEqual(['LINE-1', 'LINE-2', 'ENV-7'])
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

it('calls of shows() are found, and what is only a comment or a string is not', () => {
  const source = `
    it('x', () => { expect(1).toBe(1); shows('A-1', 'A-2') })
    // shows('A-3')
    const text: string = "shows('A-4')"`
  expect(shownIn(source)).toEqual(['A-1', 'A-2'])
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
