/** What is wrong with this machine is not told as a fault of the bridge. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { peer, root } from '../support.ts'

const cert = '9V/xb2b0M2Ama5Xbb4/sAddgMQV9yW93bIQj5XonhUiaP5xD+251aHbWrZqcrEqk5y7Bkw'
const main = `${root}dist/cli/main.js`

/** What `postern bridge test` says of a bridge at `address`, run by `wrapper`. */
function verdict(address: string, ...wrapper: string[]): string {
  const [program, ...args]: readonly string[] = [...wrapper, process.execPath, main]
  const line = `obfs4 ${address} cert=${cert} iat-mode=0`
  const { stdout, stderr } = spawnSync(program!, [...args, 'bridge', 'test', '--timeout', '3', line], {
    encoding: 'utf8',
  })
  return stdout + stderr
}

function expectLocal(said: string): void {
  expect(said).toContain('this machine could not try')
  expect(said).not.toMatch(/bridge is down|address is wrong|blocked/i)
}

test.for(['10.0.0.7:443', '[fd00::7]:443'])(
  'without a network it is this machine that has no way to %s',
  (address, context) => {
    const unshare = peer('unshare', context)
    if (spawnSync(unshare, ['-n', 'true']).status !== 0) context.skip('needs the right to make a network namespace')
    expectLocal(verdict(address, unshare, '-n'))
  },
)

test.for([
  ['connect', 'ENETUNREACH'],
  ['connect', 'ENETDOWN'],
  ['connect', 'EADDRNOTAVAIL'],
  ['connect', 'EACCES'],
  ['connect', 'EPERM'],
  ['socket', 'EMFILE'],
  ['socket', 'ENFILE'],
])('a %s() that fails with %s is a fault of this machine', ([call, code], context) => {
  const strace = [peer('strace', context), '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`]
  expectLocal(verdict('127.0.0.1:9', ...strace, '-e', `inject=${call}:error=${code}`))
})

test('a bridge that refuses connections is told as before', () => {
  expect(verdict('127.0.0.1:9', 'env')).toContain('nothing accepts connections at the address of the bridge')
})
