import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeStateDir } from '../../src/pt/state-dir.ts'
import { tempDir } from '../support.ts'

test('ENV-5: a state directory that is missing is made, with those above it, for its owner alone', () => {
  const path = join(tempDir(), 'a', 'b')
  expect(makeStateDir(`${path}/`, 'server')).toBeUndefined()
  expect(statSync(path).mode & 0o777).toBe(0o700)
  expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700)
})

test('ENV-5, ENV-6: a state directory that exists is left as it is', () => {
  const path = join(tempDir(), 'state')
  mkdirSync(path, { mode: 0o750 })
  writeFileSync(join(path, 'kept'), '')
  expect(makeStateDir(path, 'client')).toBeUndefined()
  expect(statSync(path).mode & 0o777).toBe(0o750)
  expect(readdirSync(path)).toEqual(['kept'])
})

test.each(['state', 'state/below'])('ERR-1: a file at or above %s is PT_ENV that names the variable', (name) => {
  const dir = tempDir()
  writeFileSync(join(dir, 'state'), '')
  expect(() => makeStateDir(join(dir, name), 'client')).toThrow(
    expect.objectContaining({
      code: 'PT_ENV',
      line: 'ENV-ERROR TOR_PT_STATE_LOCATION cannot be used as a directory: a file is in its way',
    }),
  )
})

test.runIf(process.platform === 'linux')(
  'ERR-1: a directory that the system cannot make is PT_ENV, and not a hang',
  () => {
    expect(() => makeStateDir('/proc/postern/state', 'client')).toThrow(expect.objectContaining({ code: 'PT_ENV' }))
  },
)

test('ENV-5: a link to nowhere is no directory', () => {
  const dir = tempDir()
  symlinkSync(join(dir, 'nowhere', 'at', 'all'), join(dir, 'link'))
  for (const path of ['link', 'link/below']) {
    expect(() => makeStateDir(join(dir, path), 'client')).toThrow(expect.objectContaining({ code: 'PT_ENV' }))
  }
})
