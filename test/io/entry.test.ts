/** What `postern/io` offers to authors of transports, and what it keeps of version 0.1. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as deprecated from '../../src/io/deprecated.ts'
import * as io from '../../src/io/index.ts'
import { root } from '../support.ts'

const kept = Object.keys(deprecated)

test('postern/io has ten names, and besides them those of version 0.1 that are deprecated', () => {
  const names = Object.keys(io).filter((name) => !kept.includes(name))
  expect(names.sort()).toEqual([
    'boundReads',
    'framed',
    'listen',
    'readExactly',
    'readMessage',
    'readSome',
    'readUntil',
    'relay',
    'withDeadline',
    'withDirect',
  ])
})

test('each name that is deprecated says so to an editor, and CHANGELOG.md says what to use instead', () => {
  const source = readFileSync(join(root, 'src/io/deprecated.ts'), 'utf8')
  const changes = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
  for (const name of kept) {
    expect(source).toMatch(new RegExp(`@deprecated [^*]+\\*/\\s+(?:export (?:const|type) )?${name}\\b`))
    expect(changes).toContain(`\`${name}\``)
  }
})
