/** What C tor and the how-tos for it do otherwise than the draft says, with the real tor in a network namespace of its own. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { peer, root, tempDir } from '../support.ts'

const cert = 'A'.repeat(70)

test('ENV-4: with a relative DataDirectory and `managed` behind the program tor runs our PT, and dials through it', async (context) => {
  const tor = peer('tor', context)
  peer('unshare', context)
  if (spawnSync('unshare', ['--net', 'true']).status !== 0) context.skip('needs a network namespace (unshare --net)')
  const dir = tempDir()
  writeFileSync(
    join(dir, 'torrc'),
    `SocksPort auto
DataDirectory data
UseBridges 1
ClientTransportPlugin obfs4 exec ${process.execPath} ${join(root, 'dist/cli/postern.cjs')} pt -enableLogging true managed
Bridge obfs4 127.0.0.1:1 cert=${cert} iat-mode=0
`,
  )
  // Nobody is there but this machine, which has no bridge; that it was asked for is what counts.
  const script = 'ip link set lo up && exec "$0" -f torrc --defaults-torrc /dev/null'
  const child = spawn('unshare', ['--net', 'sh', '-c', script, tor], { cwd: dir, stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })
  let log = ''
  child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()))
  await expect.poll(() => log, { timeout: 30_000 }).toContain('obfs4: connection failed: the target cannot be reached')
  expect(log).toContain('TOR_PT_STATE_LOCATION is a relative path, and is taken from the working directory')
  expect(log).not.toMatch(/configuration protocol|Unexpected argument/)
  expect(existsSync(join(dir, 'data', 'pt_state'))).toBe(true)
})
