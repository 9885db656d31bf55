/** A server that cannot start says so in one sentence, without the PT in between, and with what mends it. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { expect, onTestFinished, test } from 'vitest'
import { freePort, root, tempDir } from '../support.ts'

const NOBODY = 65_534

/** `postern server` of a user who may not write everywhere. */
function startServer(listen: string, stateDir: string): { status: number | null; stderr: string } {
  const args = ['server', 'obfs4', `--listen=${listen}`, '--forward=127.0.0.1:1', `--state-dir=${stateDir}`]
  return spawnSync(process.execPath, [`${root}dist/cli/main.js`, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    cwd: '/',
    ...(getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}),
  })
}

const cure = '--state-dir names another'

test('a state directory that cannot be made, or cannot be written, or is a file', () => {
  const dir = tempDir()
  chmodSync(dir, 0o555)
  onTestFinished(() => chmodSync(dir, 0o755))
  expect(startServer('127.0.0.1:0', `${dir}/new`)).toMatchObject({
    status: 1,
    stderr: `postern: server: the state directory ${dir}/new cannot be used as a directory: EACCES: permission denied, mkdir '${dir}/new'; ${cure}\n`,
  })
  expect(startServer('127.0.0.1:0', dir)).toMatchObject({
    status: 1,
    stderr: `postern: server: the state directory ${dir} cannot be written: EACCES, and holds no identity that would do; ${cure}\n`,
  })
  const file = join(tempDir(), 'file')
  chmodSync(join(file, '..'), 0o755)
  writeFileSync(file, '')
  const { stderr } = startServer('127.0.0.1:0', file)
  expect(stderr).toMatch(
    /^postern: server: the state directory \S+ cannot be used as a directory: a file is in its way; --state-dir names another\n$/,
  )
})

test('a port that somebody else has, and an address that is not this machine’s', async () => {
  const dir = tempDir()
  chmodSync(dir, 0o777)
  const port = await freePort()
  const taken = createServer().listen(port, '127.0.0.1')
  await once(taken, 'listening')
  onTestFinished(() => void taken.close())
  expect(startServer(`127.0.0.1:${port}`, dir)).toMatchObject({
    status: 1,
    stderr: 'postern: server: the address to listen on is in use\n',
  })
  expect(startServer('192.0.2.1:4430', dir)).toMatchObject({
    status: 1,
    stderr: 'postern: server: the address to listen on is not one of this machine\n',
  })
})
