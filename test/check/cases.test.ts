/** A check as cases of another test runner, and the programs of docs/check.md, run as they stand there. */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ptCases } from 'postern/check'
import { describe, expect, test } from 'vitest'
import { root } from '../support.ts'
import { tinyPt } from './support.ts'

const common = { roles: ['client'], transport: 'tiny', peer: tinyPt(), patience: 30_000, skipSlow: true } as const

describe('cases in this runner', () => {
  for (const { name, run } of ptCases({ ...common, exec: tinyPt(), only: ['CM-4', 'ARCH-3', 'TRAP-17'] }))
    test(name, { timeout: 120_000 }, async () => expect(await run()).toMatchObject({ verdict: 'kept' }))
})

test(
  'CM-4: a case of what is broken rejects with the sentence of the draft and what was seen',
  { timeout: 120_000 },
  async () => {
    const [only, ...more] = ptCases({ ...common, exec: tinyPt('cmethod-error'), only: ['CM-4'] })
    expect([only?.name, more]).toEqual(['client CM-4: an unknown name causes no CMETHOD-ERROR', []])
    await expect(only!.run()).rejects.toThrow(
      /^error: Unknown transports in .*\(Client Messages\)\nsent: [^]*\nseen: VERSION 1\nCMETHOD-ERROR /,
    )
  },
)

test('ARCH-3: a broken SHOULD rejects with strict only', { timeout: 120_000 }, async () => {
  const [lenient] = ptCases({ ...common, exec: tinyPt('socks4-word'), only: ['ARCH-3'] })
  const [strict] = ptCases({ ...common, exec: tinyPt('socks4-word'), only: ['ARCH-3'], strict: true })
  expect(await lenient!.run()).toMatchObject({ verdict: 'broken' })
  await expect(strict!.run()).rejects.toThrow(/^warning: /)
})

/** The program of docs/check.md that holds `word`, with what stands for the reader's own replaced, inside the package. */
function program(word: string, exec: readonly string[]): string {
  const page = readFileSync(join(root, 'docs/check.md'), 'utf8')
  const text = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, text = '']) => text).find((text) => text.includes(word))
  const mine = text!
    .replace("['./my-pt']", JSON.stringify(exec))
    .replace("'mine'", "'tiny', only: ['CM-4'], patience: 30_000")
  const folder = join(root, 'dist/check-md')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${word.replace(/\W/g, '-')}.mjs`), mine)
  return join(folder, `${word.replace(/\W/g, '-')}.mjs`)
}

/** Runs it without any variable of this runner. */
async function run(path: string): Promise<{ code: number; stdout: string }> {
  const env = { PATH: process.env['PATH'] }
  return await promisify(execFile)(process.execPath, [path], { env }).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string }) => error,
  )
}

test(
  'the guide’s program for node:test passes for a good PT and fails for a broken one',
  { timeout: 120_000 },
  async () => {
    const good = await run(program('node:test', tinyPt()))
    expect([good.code, good.stdout]).toEqual([
      0,
      expect.stringMatching(/client CM-4: an unknown name causes no CMETHOD-ERROR/),
    ])
    const bad = await run(program('node:test', tinyPt('cmethod-error')))
    expect([bad.code, bad.stdout]).toEqual([1, expect.stringMatching(/CMETHOD-ERROR nosuch_transport_9/)])
  },
)

test(
  'the guide’s program for plain Node prints the table, and its status is that of the check',
  { timeout: 120_000 },
  async () => {
    const good = await run(program('formatText', tinyPt()))
    expect([good.code, good.stdout]).toEqual([0, expect.stringMatching(/CM-4 +kept/)])
    const bad = await run(program('formatText', tinyPt('cmethod-error')))
    expect([bad.code, bad.stdout]).toEqual([1, expect.stringMatching(/CM-4 +BROKEN/)])
  },
)
