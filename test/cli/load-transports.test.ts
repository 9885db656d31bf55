import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadTransports } from '../../src/cli/load-transports.ts'
import { tempDir } from '../support.ts'

function moduleWith(source: string, name = 'transport.mjs'): string {
  const file = join(tempDir(), name)
  writeFileSync(file, source)
  return file
}

const transport = (name: string): string => `{ name: '${name}', client() {}, server() {} }`

test.each([
  ['the default export', `export default ${transport('a')}`, ['a']],
  [
    'every named export',
    `export const a = ${transport('a')}; export const b = ${transport('b')}; export const c = 1`,
    ['a', 'b'],
  ],
  ['one that has two names, once', `export const a = ${transport('a')}; export default a`, ['a']],
])('--load takes %s', async (_what, source, names) => {
  expect((await loadTransports(moduleWith(source))).map(({ name }) => name)).toEqual(names)
})

test.each<readonly [what: string, file: () => string, message: RegExp]>([
  ['a file that is not there', () => join(tempDir(), 'x.mjs'), /: there is no such file$/],
  [
    'a module without transports',
    () => moduleWith('export const a = 1, b = {}'),
    /: no transport among its exports \(a, b\); /,
  ],
  ['a module without exports', () => moduleWith(''), /\(it has none\)/],
  ['a module with a syntax error', () => moduleWith('export const'), /: it cannot be loaded: /],
  ['a module that throws', () => moduleWith('throw new Error("no\\nrocks")'), /: it cannot be loaded: no$/],
  ['a module that throws nothing much', () => moduleWith('throw undefined'), /: it cannot be loaded: unknown error$/],
  [
    'a module whose import is missing',
    () => moduleWith('import "no-such-package"'),
    /no-such-package.*; install what it imports beside it$/,
  ],
])('--load says what is wrong with %s, in one line', async (_what, file, message) => {
  const path = file()
  const error = (await loadTransports(path).catch((error: unknown) => error)) as Error
  expect(error.message).toMatch(message)
  expect(error.message.startsWith(`--load ${path}: `)).toBe(true)
  expect(error.message).not.toContain('\n')
})
