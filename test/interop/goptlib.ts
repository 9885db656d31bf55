/** goptlib's example programs, built from Debian's sources once for each version of Go and goptlib on this machine. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import { expect } from 'vitest'
import { peer, peersFolder } from '../support.ts'

const examples = '/usr/share/doc/golang-goptlib-dev/examples'
const library = '/usr/share/gocode/src/git.torproject.org/pluggable-transports/goptlib.git/pt.go'

/** The path of one of them. Tests that build at the same time do so side by side, and the last to finish stays. */
export function goptlib(name: 'dummy-client' | 'dummy-server', context: TestContext): string {
  const go = peer('go', context)
  const source = join(examples, name, `${name}.go`)
  const version = createHash('sha256').update(spawnSync(go, ['version']).stdout)
  for (const path of [source, library]) version.update(readFileSync(path))
  const folder = join(peersFolder, 'goptlib', version.digest('hex').slice(0, 16))
  const program = join(folder, name)
  if (existsSync(program)) return program
  mkdirSync(folder, { recursive: true })
  const draft = `${program}.${process.pid}`
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(folder, 'cache') }
  const { status, stderr } = spawnSync(go, ['build', '-o', draft, source], { env })
  expect(status, String(stderr)).toBe(0)
  renameSync(draft, program)
  return program
}
