/** What is wrong with this machine is not told as a fault of the bridge. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { root } from '../support.ts'

const cert = '9V/xb2b0M2Ama5Xbb4/sAddgMQV9yW93bIQj5XonhUiaP5xD+251aHbWrZqcrEqk5y7Bkw'
const main = `${root}dist/cli/main.js`

function has(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0
}

/** What `postern bridge test` says of a bridge at `address`, run by `wrapper`. */
function verdict(address: string, ...wrapper: string[]): string {
  const [program, ...args]: readonly string[] = [...wrapper, process.execPath, main]
  const line = `obfs4 ${address} cert=${cert} iat-mode=0`
  const { stdout, stderr } = spawnSync(program!, [...args, 'bridge', 'test', '--timeout', '3', line], {
    encoding: 'utf8',
  })
  return stdout + stderr
}

const alone = has('unshare', '-n', 'true')

test.skipIf(!alone).each(['10.0.0.7:443', '[fd00::7]:443'])(
  'without a network it is this machine that has no way to %s (skipped without the right to unshare)',
  (address) => {
    const said = verdict(address, 'unshare', '-n')
    expect(said).toContain('this machine could not try')
    expect(said).not.toMatch(/bridge is down|address is wrong|blocked/i)
  },
)

test.skipIf(!has('strace', '-V')).each(['ENETDOWN', 'EADDRNOTAVAIL', 'EACCES', 'EPERM', 'ENETUNREACH'])(
  'a connect() that fails with %s is a fault of this machine (skipped where strace is missing)',
  (code) => {
    const inject = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=connect', '-e', `inject=connect:error=${code}`]
    const said = verdict('127.0.0.1:9', 'strace', ...inject)
    expect(said).toContain('this machine could not try')
    expect(said).not.toMatch(/bridge is down|address is wrong|blocked/i)
  },
)

test.skipIf(!has('strace', '-V')).each(['EMFILE', 'ENFILE'])(
  'a socket that cannot be had for %s is a fault of this machine (skipped where strace is missing)',
  (code) => {
    const inject = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=socket', '-e', `inject=socket:error=${code}`]
    expect(verdict('127.0.0.1:9', 'strace', ...inject)).toContain('this machine could not try')
  },
)

test('a bridge that refuses connections is told as before', () => {
  expect(verdict('127.0.0.1:9', 'env')).toContain('nothing accepts connections there')
})
